"""A worker's process: what it says reaches the daemon, and how it ended is told in words."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine

import pytest
import uvloop

from appliance.core.messages import FromWorker, Loading, Stop
from appliance.link import process as process_module
from appliance.link.frames import encode_frame
from appliance.link.process import BASE_ENVIRON, TUNING, WorkerProcess, describe_exit, worker_command

TIMEOUT_S = 20.0
PREAMBLE = """
import os, signal, socket, sys, time
link = socket.socket(fileno=int(sys.argv[1]))
"""


class Heard:
    """What a worker's callbacks were told."""

    def __init__(self) -> None:
        self.messages: list[FromWorker] = []
        self.causes: list[str] = []
        self.first_message = asyncio.Event()
        self.exited = asyncio.Event()

    def on_messages(self, messages: list[FromWorker]) -> None:
        assert not self.causes, "a message came after the end"
        self.messages += messages
        self.first_message.set()

    def on_exit(self, cause: str) -> None:
        self.causes.append(cause)
        self.exited.set()

    def spawn(self, program: str) -> WorkerProcess:
        def command(fd: int) -> list[str]:
            return [sys.executable, "-S", "-c", PREAMBLE + program, str(fd)]

        return WorkerProcess.spawn("m", self.on_messages, self.on_exit, command=command)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[None, None, None]], None]:
    def run_to_end(scenario: Coroutine[None, None, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(asyncio.wait_for(scenario, TIMEOUT_S))

    return run_to_end


Run = Callable[[Coroutine[None, None, None]], None]
LOADING = repr(bytes(encode_frame([Loading(ratio=0.5)])))


@pytest.mark.parametrize(
    ("program", "cause"),
    [
        ("sys.exit(3)", "exited with code 3"),
        ("print('no such file', file=sys.stderr); sys.exit(1)", "exited with code 1: no such file"),
        ("print('half a line', end='', file=sys.stderr); sys.exit(1)", "exited with code 1: half a line"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed (SIGKILL; out of memory?)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "was ended by SIGSEGV"),
        ("link.sendall(b'\\x40'); os.kill(os.getpid(), signal.SIGKILL)", "was killed (SIGKILL; out of memory?)"),
    ],
)
def test_the_end_of_a_process_is_told_in_words(run: Run, program: str, cause: str) -> None:
    async def scenario() -> None:
        heard = Heard()
        heard.spawn(program)
        await heard.exited.wait()
        assert heard.causes == [cause]

    run(scenario())


def test_messages_arrive_before_the_end(run: Run) -> None:
    async def scenario() -> None:
        heard = Heard()
        heard.spawn(f"link.sendall({LOADING} * 2)")
        await heard.exited.wait()
        assert heard.messages == [Loading(ratio=0.5)] * 2

    run(scenario())


def test_a_worker_that_sends_garbage_is_killed(run: Run) -> None:
    async def scenario() -> None:
        heard = Heard()
        worker = heard.spawn("link.sendall(b'Segmentation fault'); time.sleep(60)")
        await heard.exited.wait()
        assert "sent what is no frame" in heard.causes[0]
        with pytest.raises(ProcessLookupError):
            os.kill(worker.pid, 0)

    run(scenario())


def test_a_worker_that_heeds_stop_ends_within_its_grace(run: Run) -> None:
    async def scenario() -> None:
        heard = Heard()
        worker = heard.spawn("link.recv(100); sys.exit(0)")
        worker.terminate(TIMEOUT_S)
        await heard.exited.wait()
        assert heard.causes == ["exited with code 0"]

    run(scenario())


@pytest.mark.parametrize(
    ("program", "cause"),
    [
        ("link.sendall(%s); time.sleep(60)", "was ended by SIGTERM"),
        (
            "signal.signal(signal.SIGTERM, signal.SIG_IGN); link.sendall(%s); time.sleep(60)",
            "was killed (SIGKILL; out of memory?)",
        ),
    ],
    ids=["deaf to Stop", "deaf to SIGTERM"],
)
def test_a_worker_that_does_not_stop_is_made_to(run: Run, program: str, cause: str) -> None:
    async def scenario() -> None:
        heard = Heard()
        worker = heard.spawn(program % LOADING)
        await heard.first_message.wait()
        worker.terminate(0.05)
        await heard.exited.wait()
        assert heard.causes == [cause]

    run(scenario())


def test_a_worker_that_closes_its_socket_and_lives_on_is_killed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "REAP_TIMEOUT_S", 0.05)

    async def scenario() -> None:
        heard = Heard()
        heard.spawn("link.close(); time.sleep(60)")
        await heard.exited.wait()
        assert "closed its socket" in heard.causes[0]

    run(scenario())


def test_a_frame_larger_than_the_socket_holds_arrives_whole(run: Run) -> None:
    async def scenario() -> None:
        heard = Heard()
        program = "size = 0\nwhile size < 4_000_000 and (data := link.recv(1 << 16)): size += len(data)\nsys.exit(7)"
        heard.spawn(program).send([Stop()] * 400_000)
        await heard.exited.wait()
        assert heard.causes == ["exited with code 7"]

    run(scenario())


def test_sending_to_a_dead_worker_does_no_harm(run: Run) -> None:
    async def scenario() -> None:
        heard = Heard()
        worker = heard.spawn("os._exit(0)")
        # Blocks the loop on purpose: the daemon must not hear of the end before it sends.
        os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222  (as said above)
        worker.send([Stop()])
        await heard.exited.wait()
        worker.send([Stop()])
        assert heard.causes == ["exited with code 0"]

    run(scenario())


def test_what_a_worker_writes_to_stderr_is_in_the_log(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        heard = Heard()
        heard.spawn("print('one\\nWARNING two\\nINFO three', file=sys.stderr)")
        await heard.exited.wait()
        assert heard.causes == ["exited with code 0: two"]

    with caplog.at_level(logging.INFO, "appliance.link"):
        run(scenario())
    records = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert records == [("INFO", "m: one"), ("WARNING", "m: two"), ("INFO", "m: three")]


def test_a_worker_sees_neither_the_daemons_environment_nor_its_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_API_KEY", "secret")

    async def scenario() -> None:
        heard = Heard()
        heard.spawn("print(sorted(os.environ), os.getcwd(), os.getsid(0) == os.getpid(), file=sys.stderr)")
        await heard.exited.wait()
        assert heard.causes == [f"exited with code 0: {sorted({**BASE_ENVIRON, **TUNING})} / True"]

    run(scenario())


def test_the_current_folder_cannot_shadow_our_modules() -> None:
    assert worker_command(7)[1:] == ["-P", "-m", "appliance.engine.worker", "--fd", "7"]


def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    assert describe_exit(-100, None) == "was ended by signal 100"
