"""What `appliance ps` shows."""

import msgspec

from appliance.core.admin import Status
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon, loaded, status

STATUS = "/admin/v1/status"


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


def test_ps_as_json_is_the_status_as_the_daemon_gave_it(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", STATUS, status(loaded()))

    assert msgspec.json.decode(appliance("ps", "--json").out, type=Status) == status(loaded())


def test_ps_shows_heat_and_power_where_they_are_known(appliance: Command, daemon: FakeDaemon) -> None:
    warm = msgspec.structs.replace(status().machine, temperature_celsius=71.3, power_watts=8.7)
    daemon.reply("GET", STATUS, msgspec.structs.replace(status(), machine=warm))

    assert "CPU 34% busy at 71 °C with 9 W, 9.0 GiB of 16.0 GiB memory free" in appliance("ps").out
