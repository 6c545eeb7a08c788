"""The worker's process: one loaded model behind a socket. Started by module name; never imported by the daemon.

Two threads. The reader takes frames from the socket and turns requests into tokens, beside the steps; the step thread
owns the model and the engine. The process ends when the daemon says so or its end of the socket closes.
"""

import argparse
import gc
import logging
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import psutil
from msgspec.structs import replace

from appliance.backends import loading
from appliance.backends.base import LoadedEncoder, LoadedListener, LoadedModel, ReadsMedia
from appliance.caches.kv_folder import FolderInUse, KvFolder
from appliance.core.events import Failed, RequestEvent
from appliance.core.messages import (
    Budget,
    Cancel,
    ForgetAdapter,
    FromWorker,
    Load,
    LoadFailed,
    Loading,
    MemoryPressure,
    OpenVocabulary,
    Pause,
    Ready,
    Resume,
    Start,
    Stop,
    ToWorker,
)
from appliance.core.plan import Calibration, LoadPlan, SnapshotTiers
from appliance.core.request import PRIORITY_RANK, GenerateRequest, ReadRequest, Request
from appliance.core.traits import ModelTraits
from appliance.errors import ApplianceError, BackendError, OutOfDeviceMemory, to_info
from appliance.link.frames import FrameReader, send_frame

from .adapter_files import AdapterFiles
from .contention import ThreadKeeper, keep_threads, process_probe
from .encoding import EncodingEngine
from .engine import Engine
from .hearing.recordings import PreparedRecording, RecordingReader
from .inputs import PreparedInputs, RequestReader
from .interruption import Interruption
from .media_desk import MediaDesk, Prepare, has_media
from .prefix import Grid
from .prompt import Arrival, PreparedRequest, PromptReader
from .threads import calibrate
from .tiers import Limits, Tiers
from .transcribing import TranscribingEngine
from .vocabulary import answer, count

STATS_EVERY_S = 1.0
LOADING_EVERY_S = 0.1

_log = logging.getLogger(__name__)

AnyEngine = Engine | EncodingEngine | TranscribingEngine
Prepared = PreparedRequest | PreparedInputs | PreparedRecording


class Wake:
    """A note of the worker to itself: the disk brought what a request waits for."""


Order = Cancel | Pause | Resume | Budget | ForgetAdapter | Wake


class Worker:
    """One process's work: load the model of the first message, then answer until told to stop."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._send_lock = threading.Lock()
        self._inbox: queue.SimpleQueue[Prepared | Order | Stop] = queue.SimpleQueue()
        self._loads: queue.SimpleQueue[LoadPlan] = queue.SimpleQueue()
        self._reader: PromptReader | RequestReader | RecordingReader | None = None
        self._desk = MediaDesk()
        self._adapter_files: AdapterFiles | None = None
        self._threads: ThreadKeeper | None = None
        self._interruption: Interruption | None = None
        self._reported_s = 0.0
        self._reported_tokens = 0

    def run(self) -> int:
        """Work until stopped; return the exit code of the process."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        plan = self._loads.get()
        try:
            engine = self._load(plan)
        except ApplianceError as error:
            self._send([LoadFailed(error=to_info(error))])
            return 1
        try:
            self._serve(engine)
        except ApplianceError as error:
            if isinstance(error, OutOfDeviceMemory):
                self._send([MemoryPressure(measure=None)])
            _log.error("a step failed, so the worker ends: %s", error.message)
            return 1
        return 0

    def _load(self, plan: LoadPlan) -> AnyEngine:
        last_s = 0.0

        def progress(ratio: float) -> None:
            nonlocal last_s
            if time.monotonic() - last_s >= LOADING_EVERY_S:
                last_s = time.monotonic()
                self._send([Loading(ratio=ratio)])

        started_s = time.monotonic()
        model = loading.open_backend(plan.backend).load(plan, progress)
        engine: AnyEngine
        calibration = None
        if isinstance(model, LoadedEncoder):
            self._reader = RequestReader(loading.open_inputs(plan.artefact), model.traits)
            engine = EncodingEngine(model, time.monotonic)
        elif isinstance(model, LoadedListener):
            tokenizer = loading.open_tokenizer(plan.artefact)
            self._reader = RecordingReader(tokenizer, model.tokens, model.traits)
            engine = TranscribingEngine(model, tokenizer, time.monotonic)
        else:
            tokenizer = loading.open_tokenizer(plan.artefact)
            self._adapter_files = AdapterFiles(plan.artefact, model.traits.max_adapters_per_step)
            media = model if isinstance(model, ReadsMedia) and model.traits.media else None
            self._reader = PromptReader(tokenizer, model.traits.max_context_tokens, media)
            calibration = calibrate(model, plan.thread_candidates, process_probe(), time.monotonic)
            self._threads = _keep_threads(model, plan, calibration)
            tiers = self._open_tiers(plan.snapshots, model.traits)
            engine = Engine(model, tokenizer, plan.step_time_target_s, time.monotonic, tiers)
            self._interruption = engine.interruption
        gc.collect()
        gc.freeze()  # a vocabulary is some hundred thousand objects that no later collection needs to look at
        _log.info("loaded %s in %.1f s", plan.model, time.monotonic() - started_s)
        self._send([Ready(traits=model.traits, memory_bytes=_memory_bytes(), calibration=calibration)])
        return engine

    def _open_tiers(self, plan: SnapshotTiers, traits: ModelTraits) -> Tiers:
        folder = None
        if plan.folder and plan.disk_bytes:
            try:
                folder = KvFolder(Path(plan.folder), plan.max_written_bytes_per_day)
            except (FolderInUse, OSError) as error:
                _log.warning("prefixes are not kept on disk: %s", error)
        grid = Grid(traits.chunk_multiple_tokens, traits.can_truncate)
        return Tiers(grid, Limits(plan.memory_bytes, plan.disk_bytes), folder, lambda: self._inbox.put(Wake()))

    def _serve(self, engine: AnyEngine) -> None:
        while True:
            while not engine.has_work or not self._inbox.empty():
                was_idle = not engine.has_work
                message = self._inbox.get()
                if was_idle:
                    self._reported_s = time.monotonic()  # the rate counts from here, not from the last work
                if isinstance(message, Stop):
                    engine.close()
                    return
                self._handle(engine, message)
            events: list[FromWorker] = [*engine.step(), *self._due_stats(engine)]
            if events:
                self._send(events)
            if self._threads is not None:
                self._threads.on_step(time.monotonic())

    def _handle(self, engine: AnyEngine, message: Prepared | Order) -> None:
        if isinstance(message, Prepared):
            failures = _start(engine, message)
            if failures:
                self._send([*failures])
        elif isinstance(message, Cancel):
            engine.cancel(message.id)
            if not engine.has_work:
                self._send([self._stats(engine)])
        elif isinstance(message, Budget):
            self._limit(engine, message.work_ratio)
        elif not isinstance(engine, Engine):
            return  # its requests give way by themselves: nothing is paused, and nothing comes from a disk
        elif isinstance(message, Pause):
            engine.pause(message.id)
        elif isinstance(message, Resume):
            engine.resume(message.id)
        elif isinstance(message, ForgetAdapter):
            engine.forget_adapter(message.digest)
        else:
            engine.wake()

    def _limit(self, engine: AnyEngine, work_ratio: float) -> None:
        if self._threads is not None:
            self._threads.limit(work_ratio)
        if isinstance(engine, Engine):
            engine.limit(work_ratio)

    def _due_stats(self, engine: AnyEngine) -> list[FromWorker]:
        if engine.has_work and time.monotonic() - self._reported_s < STATS_EVERY_S:
            return []
        return [self._stats(engine)]

    def _stats(self, engine: AnyEngine) -> FromWorker:
        now_s = time.monotonic()
        num_tokens = engine.num_tokens_done - self._reported_tokens
        elapsed_s = max(now_s - self._reported_s, 1e-3)
        self._reported_s, self._reported_tokens = now_s, engine.num_tokens_done
        return engine.stats(num_tokens / elapsed_s if engine.has_work else 0.0, _memory_bytes())

    # The reader thread.

    def _read(self) -> None:
        try:
            for messages in FrameReader(self._sock):
                for message in messages:
                    self._take(message)
        except Exception:
            _log.exception("the daemon's messages cannot be read")
        os._exit(0)  # without the daemon nobody reads what a step would still compute

    def _take(self, message: ToWorker) -> None:
        if isinstance(message, Load):
            self._loads.put(message.plan)
        elif isinstance(message, Start):
            self._look_at(message.request, partial(self._prepare, message, time.monotonic()))
        elif isinstance(message, ReadRequest):
            self._look_at(message, partial(self._count, message))
        elif not isinstance(message, OpenVocabulary):  # which is for processes without weights
            if isinstance(message, Cancel):
                self._desk.cancel(message.id)
            self._inbox.put(message)

    def _look_at(self, request: Request | ReadRequest, prepare: Prepare) -> None:
        """Read a prompt now, or at the desk where it holds more than text."""
        if has_media(request):
            self._desk.take(request.id, prepare)
        else:
            prepare()()

    def _count(self, request: ReadRequest) -> Callable[[], None]:
        assert isinstance(self._reader, PromptReader), "models that write are asked"
        return partial(self._send, [answer(partial(count, self._reader), request)])

    def _prepare(self, message: Start, received_s: float) -> Callable[[], None]:
        """Return what is left to do with a request: begin it, or say why it cannot be."""
        assert self._reader is not None, "the daemon starts requests only after Ready"
        try:
            arrival = Arrival(received_s, message.waited_s, message.rank, message.caller, message.weight)
            prepared = self._reader.prepare(self._with_files(message.request), arrival)
        except ApplianceError as error:
            return partial(self._send, [Failed(id=message.request.id, error=to_info(error))])
        except Exception:
            _log.exception("a prompt could not be read")
            problem = BackendError("the worker could not read this prompt; its log has the cause")
            return partial(self._send, [Failed(id=message.request.id, error=to_info(problem))])
        return partial(self._begin, message, prepared)

    def _begin(self, message: Start, prepared: Prepared) -> None:
        self._inbox.put(prepared)
        if self._interruption is not None:
            self._interruption.on_arrival(PRIORITY_RANK[message.request.priority])

    def _with_files(self, request: Request) -> Request:
        """Return the request with its adapters as files that can be loaded. Raises: InvalidRequest."""
        if self._adapter_files is None or not isinstance(request, GenerateRequest) or not request.adapters:
            return request
        return replace(request, adapters=self._adapter_files.ready(request.adapters))

    def _send(self, messages: Sequence[FromWorker]) -> None:
        with self._send_lock:
            send_frame(self._sock, messages)


def _keep_threads(model: LoadedModel, plan: LoadPlan, calibration: Calibration | None) -> ThreadKeeper | None:
    """Return what fits the threads to what others leave of the processor, None where they are fixed."""
    if not model.traits.can_set_threads:
        return None
    if calibration is None:
        return keep_threads(model.set_threads, plan.threads_decode, plan.threads_prefill)
    return keep_threads(model.set_threads, calibration.threads_decode, calibration.threads_prefill)


def _start(engine: AnyEngine, prepared: Prepared) -> list[RequestEvent]:
    if isinstance(engine, EncodingEngine):
        assert isinstance(prepared, PreparedInputs)
        return engine.start(prepared)
    if isinstance(engine, TranscribingEngine):
        assert isinstance(prepared, PreparedRecording)
        return engine.start(prepared)
    assert isinstance(prepared, PreparedRequest)
    return engine.start(prepared)


def _memory_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def main() -> None:
    """Parse the arguments that the daemon gives, and work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the worker's end of the socket pair")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    with socket.socket(fileno=arguments.fd) as sock:
        sys.exit(Worker(sock).run())


if __name__ == "__main__":
    main()
