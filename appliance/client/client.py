"""The daemon's routes as typed methods. Knows which path and struct each has; nothing of HTTP itself."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from appliance.core.admin import (
    AddModel,
    CreatedKey,
    CreateKey,
    Done,
    InstalledModel,
    InstalledModels,
    KeyInfo,
    Keys,
    ModelRef,
    Problem,
    Progress,
    ProgressEvent,
    Removed,
    Requests,
    Status,
)
from appliance.core.calibration import CalibrateModel, CalibrationJobs
from appliance.core.caller import Scope
from appliance.core.doctor import Diagnosis
from appliance.core.feed import FeedEvent, LogLevel, LogLine, LogLines
from appliance.core.hardware import Hardware
from appliance.core.history import History
from appliance.core.jobs import Job, JobEvent, JobList, JobNews, JsonObject, SubmitJob
from appliance.core.kernels import CleanedKernels, CompiledModel, CompiledModels, CompileModel, TuneKernels
from appliance.core.pulls import PullModel
from appliance.core.request import Message
from appliance.core.settings_view import ChangedSettings, ChangeSettings, SettingsView

from .answers import AnswerCalls
from .catalogue import CatalogueCalls
from .chat import ChatEnd, ChatPart, read_chunks
from .store import StoreCalls
from .tasks import TaskCalls
from .transport import DEFAULT_URL, READ_TIMEOUT_S, ClientError, NoDaemon, Transport, cut_off, decode, quoted, to_status


class Client(StoreCalls, CatalogueCalls, AnswerCalls, TaskCalls):
    """Speaks to one daemon. Every method raises: NoDaemon, ClientError."""

    def __init__(
        self, url: str = DEFAULT_URL, key: str | None = None, *, read_timeout_s: float = READ_TIMEOUT_S
    ) -> None:
        self._transport = Transport(url, key, read_timeout_s)
        self.url = self._transport.url

    def hang_up(self) -> None:
        """End every call that is under way in other threads: each raises ClientError there."""
        self._transport.hang_up()

    def is_healthy(self) -> bool:
        """Return whether the daemon listens; False where nothing answers."""
        try:
            self._transport.send("GET", "/health")
        except NoDaemon:
            return False
        return True

    def status(self) -> Status:
        """Return what the daemon does at this moment."""
        return self._transport.call("GET", "/admin/v1/status", Status)

    def history(self) -> History:
        """Return what the daemon did in the last minutes, in steps of two seconds."""
        return self._transport.call("GET", "/admin/v1/history", History)

    def settings(self) -> SettingsView:
        """Return every setting: its value, where that comes from and what it may be."""
        return self._transport.call("GET", "/admin/v1/settings", SettingsView)

    def change_settings(self, order: ChangeSettings) -> ChangedSettings:
        """Change the settings file, all of the order or nothing."""
        return self._transport.call("PATCH", "/admin/v1/settings", ChangedSettings, order)

    def drain(self) -> None:
        """Let the daemon finish what runs and end."""
        self._transport.send("POST", "/admin/v1/drain")

    def requests(self) -> Requests:
        """Return the requests that run, wait and ended lately, without their content."""
        return self._transport.call("GET", "/admin/v1/requests", Requests)

    def events(
        self, *, last: int = 0, types: Iterable[str] = (), after: int | None = None
    ) -> Generator[FeedEvent, None, None]:
        """Yield what happens, as it happens, until the daemon stops; the `last` events come first.

        `types` are first parts of types, such as `model`; none means all. What came `after` that event's `seq` comes
        instead of the `last`, where it is given.
        """
        path = f"/admin/v1/events?last={last}&types={quote(','.join(types))}"
        with closing(self._transport.stream(path, method="GET", after=after)) as events:
            for data in events:
                yield decode(data, FeedEvent)

    def log_lines(self, *, last: int = 200, level: LogLevel = "info") -> tuple[LogLine, ...]:
        """Return the newest lines of the daemon's log, from `level` up, the oldest first."""
        return self._transport.call("GET", f"/admin/v1/logs?last={last}&level={level}", LogLines).lines

    def cancel_request(self, request_id: str) -> None:
        """End a request by its own id or by that of its answer."""
        self._transport.send("DELETE", "/admin/v1/requests/" + quote(request_id, safe=""))

    def hardware(self, *, with_bandwidth: bool = False) -> Hardware:
        """Return what the daemon's machine is and does; measuring the memory takes all its cores for a second."""
        query = "?bandwidth=true" if with_bandwidth else ""
        return self._transport.call("GET", f"/admin/v1/hardware{query}", Hardware)

    def doctor(self) -> Diagnosis:
        """Return what the daemon finds right and wrong with its machine."""
        return self._transport.call("GET", "/admin/v1/doctor", Diagnosis)

    def models(self) -> tuple[InstalledModel, ...]:
        """Return the installed models."""
        return self._transport.call("GET", "/admin/v1/models", InstalledModels).models

    def model(self, name: str) -> InstalledModel:
        """Return one installed model."""
        return self._transport.call("GET", _model_path(name), InstalledModel)

    def add_model(
        self, path: str, *, name: str | None = None, copy: bool = False
    ) -> Generator[Progress | Done, None, None]:
        """Adopt a file on the daemon's machine; the last event is `Done`."""
        return self.adopt(AddModel(path=path, name=name, copy=copy))

    def adopt(self, order: AddModel) -> Generator[Progress | Done, None, None]:
        """Adopt a file with all that is known of it; the last event is `Done`."""
        return self._progress("/admin/v1/models", order)

    def load(self, name: str) -> Generator[Progress | Done, None, None]:
        """Load a model into memory; the last event is `Done`."""
        return self._progress("/admin/v1/models/load", ModelRef(model=name))

    def unload(self, name: str) -> None:
        """Take a model out of memory."""
        self._transport.send("POST", "/admin/v1/models/unload", ModelRef(model=name))

    def pin(self, name: str, *, is_pinned: bool = True) -> None:
        """Keep a model in memory whatever happens, or let it go again when it is idle."""
        self._transport.send("POST", "/admin/v1/models/pin", ModelRef(model=name, is_pinned=is_pinned))

    def remove(self, name: str, *, is_dry_run: bool = False) -> Removed:
        """Forget an installed model and delete what only it used; a dry run only says what that would free."""
        query = "?dry_run=true" if is_dry_run else ""
        return self._transport.call("DELETE", _model_path(name) + query, Removed)

    def keys(self) -> tuple[KeyInfo, ...]:
        """Return the keys' names and scopes."""
        return self._transport.call("GET", "/admin/v1/keys", Keys).keys

    def create_key(self, name: str, scope: Scope = "use") -> CreatedKey:
        """Make a key; the answer is the only place that shows it."""
        return self._transport.call("POST", "/admin/v1/keys", CreatedKey, CreateKey(name=name, scope=scope))

    def revoke_key(self, name: str) -> None:
        """Make a key invalid from now on."""
        self._transport.send("DELETE", "/admin/v1/keys/" + quote(name, safe=""))

    def jobs(self) -> tuple[Job, ...]:
        """Return the newest jobs, the newest first."""
        return self._transport.call("GET", "/admin/v1/jobs", JobList).jobs

    def job(self, job_id: str) -> Job:
        """Return one job."""
        return self._transport.call("GET", _job_path(job_id), Job)

    def submit_job(self, kind: str, arguments: JsonObject) -> Job:
        """Give a job in; it is kept, whatever happens, when this returns."""
        return self._transport.call("POST", "/admin/v1/jobs", Job, SubmitJob(kind=kind, arguments=arguments))

    def pull_model(self, order: PullModel) -> Job:
        """Give in a job that fetches a model, or join the one that does it already."""
        return self._transport.call("POST", "/admin/v1/models/pull", Job, order)

    def compile_model(self, name: str, bits: Literal[4, 8] | None = None) -> Job:
        """Give in a job that makes a model ready for the machine's own kernels."""
        return self._transport.call("POST", "/admin/v1/models/compile", Job, CompileModel(model=name, bits=bits))

    def kernels(self) -> tuple[CompiledModel, ...]:
        """Return what is compiled of the models."""
        return self._transport.call("GET", "/admin/v1/kernels", CompiledModels).compiled

    def tune_kernels(self, name: str | None = None) -> Job:
        """Give in a job that measures which tiles are the fastest, for one model or for all that are compiled."""
        return self._transport.call("POST", "/admin/v1/kernels/tune", Job, TuneKernels(model=name))

    def calibrate_model(self, name: str | None = None, backends: Iterable[str] = ()) -> CalibrationJobs:
        """Give in the jobs that measure a model, the default one without a name, on some backends or on all."""
        order = CalibrateModel(model=name, backends=tuple(backends))
        return self._transport.call("POST", "/admin/v1/models/calibrate", CalibrationJobs, order)

    def clean_kernels(self) -> CleanedKernels:
        """Delete what is compiled and not used any more."""
        return self._transport.call("DELETE", "/admin/v1/kernels", CleanedKernels)

    def follow_job(self, job_id: str) -> Generator[Job, None, None]:
        """Yield the job now and whenever it changed; the last one has ended."""
        news: Generator[JobNews, None, None] = self._news(_job_path(job_id) + "?follow=true", JobEvent, method="GET")
        with closing(news):
            for event in news:
                yield event.job
                if event.job.has_ended:
                    return

    def cancel_job(self, job_id: str) -> Job:
        """Give a job up and return what became of it."""
        return self._transport.call("DELETE", _job_path(job_id), Job)

    def pause_job(self, job_id: str) -> Job:
        """Halt a job."""
        return self._transport.call("POST", _job_path(job_id) + "/pause", Job)

    def resume_job(self, job_id: str) -> Job:
        """Let a paused job go on when its turn comes."""
        return self._transport.call("POST", _job_path(job_id) + "/resume", Job)

    def chat_stream(
        self, model: str | None, messages: Iterable[Message], **params: float | str
    ) -> Generator[str | ChatEnd, None, None]:
        """Yield the answer's text as it is generated, then one `ChatEnd`. Closing the iterator stops the answer.

        `model` None means the default one; `params` are fields of OpenAI's request, such as `temperature`.
        """
        body = {"messages": list(messages), **({} if model is None else {"model": model}), **params}
        with closing(self.chat_parts(body)) as parts:
            for part in parts:
                if isinstance(part, str | ChatEnd):
                    yield part

    def chat_parts(self, body: Mapping[str, object]) -> Generator[ChatPart, None, None]:
        """Yield all that comes of an answer, its thoughts and calls too, to a body of OpenAI's chat completions."""
        headers: dict[str, str] = {}
        streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}
        with closing(self._transport.stream("/v1/chat/completions", streamed, heed=headers.update)) as events:
            for part in read_chunks(events):
                if isinstance(part, ChatEnd):
                    yield msgspec.structs.replace(part, cache=headers.get("x-cache"))
                else:
                    yield part

    def _progress(self, path: str, body: msgspec.Struct) -> Generator[Progress | Done, None, None]:
        news: Generator[Progress | Done, None, None] = self._news(path, ProgressEvent, body)
        with closing(news):
            for event in news:
                yield event
                if isinstance(event, Done):
                    return

    def _news(
        self, path: str, kind: Any, body: msgspec.Struct | None = None, *, method: str = "POST"
    ) -> Generator[Any, None, None]:
        """Yield the events of something that ends, until whoever reads them has seen the last."""
        with closing(self._transport.stream(path, body, method=method)) as events:
            for data in events:
                event = decode(data, kind)
                if isinstance(event, Problem):
                    raise ClientError(event.message, status=to_status(event.code), code=event.code)
                yield event
        raise cut_off()


def _model_path(name: str) -> str:
    return "/admin/v1/models/" + quoted(name)


def _job_path(job_id: str) -> str:
    return "/admin/v1/jobs/" + quote(job_id, safe="")
