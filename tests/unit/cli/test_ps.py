"""What `appliance ps` shows."""

import msgspec
import pytest

from appliance.core.admin import Requests, Status
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon, loaded, request, requests, status

STATUS = "/admin/v1/status"
REQUESTS = "/admin/v1/requests"


@pytest.fixture(autouse=True)
def nothing_asked(daemon: FakeDaemon) -> None:
    """No request was ever made, unless a test says so."""
    daemon.reply("GET", REQUESTS, requests())


def test_ps_shows_daemon_machine_and_models_in_80_columns(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", STATUS, status(loaded(), loaded("qwen3", state="loading", load_ratio=0.4, expires_in_s=None)))

    result = appliance("ps")

    assert result.out.splitlines() == [
        "serving at http://127.0.0.1:8484 for 3 min 5 s, ready",
        "2 running, 1 waiting; CPU 34% busy, 9.0 GiB of 16.0 GiB memory free",
        "",
        "NAME   STATE        BACKEND          MEMORY  RUN  WAIT  TOKENS/S  UNLOADS",
        "guide  ready        llama_cpp cpu  12.0 MiB    2     1      51.2  in 29 min 0 s",
        "qwen3  loading 40%  llama_cpp cpu  12.0 MiB    2     1      51.2  -",
    ]


def test_ps_shows_layers_on_a_gpu_and_says_when_a_model_is_not_where_it_was_planned(
    appliance: Command, daemon: FakeDaemon
) -> None:
    elsewhere = loaded("other", device_problem="CUDA0 is no longer there")
    daemon.reply("GET", STATUS, status(loaded(device="CUDA0", gpu_layers=33), elsewhere))

    lines = appliance("ps").out.splitlines()

    assert "llama_cpp CUDA0 (33 layers)" in lines[4]
    assert "other is not computed where it was planned: CUDA0 is no longer there" in lines


def test_ps_says_why_a_model_runs_where_it_does(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", STATUS, status(loaded(choice="llama_cpp is all that runs it here"), loaded("other")))

    assert appliance("ps").out.splitlines()[6:] == ["guide: llama_cpp is all that runs it here"]


def test_a_pinned_model_never_unloads_and_a_failed_one_says_why(appliance: Command, daemon: FakeDaemon) -> None:
    failed = loaded("bad", state="failed", reason="the file is damaged\x1b[2J")
    daemon.reply("GET", STATUS, status(loaded(is_pinned=True), failed))

    out = appliance("ps").out

    assert "never (pinned)" in out
    assert out.endswith("\nbad: the file is damaged[2J\n")


def test_without_a_model_in_memory_ps_says_what_loads_one(appliance: Command, daemon: FakeDaemon) -> None:
    waiting = msgspec.structs.replace(status(), is_ready=False, not_ready_reason="guide is loading")
    daemon.reply("GET", STATUS, waiting)

    out = appliance("ps").out

    assert "not ready: guide is loading" in out
    assert out.endswith("no model is in memory; a request for one loads it (guide by default)\n")


def test_ps_as_json_is_what_the_daemon_gave(appliance: Command, daemon: FakeDaemon) -> None:
    known = requests(request("a"), request("b", "done", reason="stop"), num_recent=1)
    daemon.reply("GET", STATUS, status(loaded()))
    daemon.reply("GET", REQUESTS, known)

    out = appliance("ps", "--json").out

    assert msgspec.json.decode(out, type=Status) == status(loaded())
    assert msgspec.json.decode(out, type=Requests) == known


def test_ps_shows_what_runs_and_waits_and_how_the_last_ones_went(appliance: Command, daemon: FakeDaemon) -> None:
    unknown = {"prompt_tokens": None, "cached_tokens": None, "completion_tokens": 0, "tokens_per_s": None}
    daemon.reply("GET", STATUS, status(loaded()))
    waiting = request("aa3f01c2b7", "waiting", caller="web/ada\x1b[2J", priority="batch", duration_s=0.25, **unknown)
    known = (request("9be2d0d417"), waiting, request("ffff", "done"))
    daemon.reply("GET", REQUESTS, requests(*known, num_recent=7))

    assert appliance("ps").out.splitlines()[5:] == [
        "",
        "REQUEST   CALLER      CLASS   MODEL  STATE    PROMPT  CACHED  WRITTEN  TOKENS/S  TIME",
        "9be2d0d4  local       normal  guide  running    1200    1000       42      20.0  2.5 s",
        "aa3f01c2  web/ada[2J  batch   guide  waiting       -       -        0         -  250 ms",
        "",
        "last 5 min: 7 requests answered, first token after 125 ms, 21.0 tokens/s each (medians), "
        "63% of prompt tokens from the cache",
    ]


def test_many_requests_are_counted_not_listed(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", STATUS, status(loaded()))
    daemon.reply("GET", REQUESTS, requests(*(request(f"{i:032}") for i in range(30))))

    lines = appliance("ps").out.splitlines()[6:]

    assert len(lines) == 20
    assert lines[-1] == "and 12 more; --json has all"


def test_with_a_key_that_may_not_see_requests_ps_shows_the_rest(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", STATUS, status(loaded()))
    daemon.refuse("GET", REQUESTS, 403, "this needs a key of scope 'operate'")

    assert appliance("ps").out.splitlines()[-1].startswith("guide  ready")
    assert "requests" not in msgspec.json.decode(appliance("ps", "--json").out)


def test_ps_shows_heat_and_power_where_they_are_known(appliance: Command, daemon: FakeDaemon) -> None:
    warm = msgspec.structs.replace(status().machine, temperature_celsius=71.3, power_watts=8.7)
    daemon.reply("GET", STATUS, msgspec.structs.replace(status(), machine=warm))

    assert "CPU 34% busy at 71 °C with 9 W, 9.0 GiB of 16.0 GiB memory free" in appliance("ps").out
