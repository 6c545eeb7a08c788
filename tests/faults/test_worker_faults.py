"""A real worker that is killed, lies, or cannot load hurts nobody but its own requests, and ends with its daemon."""

import os
import signal
import subprocess
import sys

import pytest

from appliance.errors import BackendError, ModelLoading
from tests.faults.daemon import ENVIRON, ROOT, TIMEOUT_S, Daemon, first_delta, on_uvloop, read

ENDLESS = 4000


@on_uvloop
async def test_a_worker_answers_and_ends_with_its_daemon() -> None:
    async with Daemon(a="") as daemon:
        end = await daemon.answer("1", "a")
        assert (end.reason, end.usage.completion_tokens) == ("length", 8)
        os.kill(daemon.pids["a"], 0)
    with pytest.raises(ProcessLookupError):
        os.kill(daemon.pids["a"], 0)


@on_uvloop
async def test_a_killed_worker_fails_only_its_requests_and_the_next_finds_a_fresh_one() -> None:
    async with Daemon(a="?step_s=0.01", b="?step_s=0.01") as daemon:
        hit, spared = daemon.submit("1", "a", ENDLESS), daemon.submit("2", "b", max_tokens=50)
        await first_delta(hit)
        await first_delta(spared)
        os.kill(daemon.pids["a"], signal.SIGKILL)
        with pytest.raises(BackendError, match=r"was killed \(SIGKILL; out of memory\?\)"):
            await read(hit)
        assert (await read(spared)).usage.completion_tokens == 50
        assert (await daemon.answer("3", "a")).usage.completion_tokens == 8


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ("?fail_load=the+file+is+damaged", "the file is damaged"),
        ("?die_on_load=1", "SIGKILL"),
        ("?no_such_option=1", "no_such_option"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_refused_with_its_cause_and_then_with_back_off(
    options: str, cause: str
) -> None:
    @on_uvloop
    async def scenario() -> None:
        async with Daemon(a=options, b="") as daemon:
            for number in range(2):
                with pytest.raises(BackendError, match=cause):
                    await daemon.answer(f"a{number}", "a")
                await daemon.until("a", "failed")
            with pytest.raises(ModelLoading, match=cause) as refused:
                daemon.submit("a2", "a")
            assert refused.value.retry_after_s is not None
            assert (await daemon.answer("b", "b")).usage.completion_tokens == 8

    scenario()


@on_uvloop
async def test_a_step_that_fails_ends_the_worker_and_the_log_of_it_is_the_cause() -> None:
    async with Daemon(a="?fail_after_steps=3") as daemon:
        with pytest.raises(BackendError, match="fail after 3 steps"):
            await daemon.answer("1", "a")
        await daemon.until("a", "failed")
        assert "fail after 3 steps" in (daemon.owner.last_error("a") or "")


@on_uvloop
async def test_a_worker_that_sends_garbage_is_replaced() -> None:
    garbage = "import socket, sys, time; socket.socket(fileno=int(sys.argv[1])).sendall(b'oops' * 9); time.sleep(60)"
    async with Daemon(a="") as daemon:
        daemon.commands["a"] = lambda fd: [sys.executable, "-S", "-c", garbage, str(fd)]
        with pytest.raises(BackendError, match="no frame"):
            await daemon.answer("1", "a")
        del daemon.commands["a"]
        assert (await daemon.answer("2", "a")).usage.completion_tokens == 8


@on_uvloop
async def test_a_cancelled_request_frees_its_place_in_the_worker() -> None:
    async with Daemon(a="?step_s=0.005") as daemon:
        held = [daemon.submit(str(number), "a", ENDLESS) for number in range(10)]
        queued = daemon.submit("queued", "a", max_tokens=3)
        await first_delta(held[0])
        assert queued.queue_place is not None
        assert queued.queue_place.position == 1
        for stream in held[:3]:
            stream.cancel()
        assert (await read(queued)).usage.completion_tokens == 3
        for stream in held[3:]:
            stream.cancel()


DAEMON = """
import socket, subprocess, sys, time
from appliance.core.messages import Load
from appliance.link.frames import decoder_for_daemon, encode_frame
from appliance.link.process import worker_command
from tests.faults.daemon import echo_plan

options, awaited = sys.argv[1:]
ours, theirs = socket.socketpair()
subprocess.Popen(worker_command(theirs.fileno()), pass_fds=(theirs.fileno(),))
theirs.close()
ours.sendall(encode_frame([Load(plan=echo_plan("a", options))]))
decoder = decoder_for_daemon()
while not any(type(m).__name__ == awaited for batch in decoder.feed(ours.recv(65536)) for m in batch):
    pass
print(awaited, flush=True)
time.sleep(30)
"""


@pytest.mark.parametrize(("options", "awaited"), [("?load_s=600", "Loading"), ("", "Ready")])
def test_a_worker_ends_when_its_daemon_is_killed(options: str, awaited: str) -> None:
    command = [sys.executable, "-c", DAEMON, options, awaited]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=ENVIRON, text=True) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == f"{awaited}\n"
        daemon.kill()
        # The worker holds the pipe, too: its end is the end of the pipe.
        daemon.communicate(timeout=TIMEOUT_S)
