"""`/admin/v1/settings` and what else operators look at, with our own client."""

from pathlib import Path

import httpx
import pytest

from appliance.api.sse import StreamTiming
from appliance.client import Client, ClientError
from appliance.core.events import RequestAccepted, TokensEmitted
from appliance.core.request import RequestId
from appliance.core.settings_view import ChangeSettings
from appliance.ops.meter import Vitals
from appliance.settings import NormalizersSettings
from models.embedded import EMBEDDED_PATH
from tests.api.conftest import NO_TLS, Daemon, served
from tests.fakes import loaded_status


@pytest.fixture
def client(daemon: Daemon) -> Client:
    return Client(daemon.url)


def test_settings_are_shown_and_changed(client: Client, daemon: Daemon) -> None:
    done = client.change_settings(ChangeSettings(set={"server.port": "9000", "models.pinned": ["guide"]}))
    assert [(change.key, change.value, change.takes_effect) for change in done.changes] == [
        ("server.port", 9000, "restart"),
        ("models.pinned", ["guide"], "restart"),
    ]
    view = client.settings()
    port = next(setting for setting in view.settings if setting.key == "server.port")
    assert (port.value, port.next_value, port.origin) == (8484, 9000, "default")
    assert view.file == str(daemon.home / "appliance.toml")
    assert client.change_settings(ChangeSettings(unset=("server.port",))).changes[0].value == 8484


def test_a_setting_that_does_not_exist_is_a_400_with_the_nearest(client: Client, daemon: Daemon) -> None:
    with pytest.raises(ClientError, match=r"did you mean 'server\.port'") as caught:
        client.change_settings(ChangeSettings(set={"server.prot": 1}))
    assert caught.value.status == 400
    assert not (daemon.home / "appliance.toml").exists()


def test_settings_are_for_administrators_alone(client: Client, daemon: Daemon) -> None:
    key = client.create_key("hand", "operate").key
    for method in ("GET", "PATCH"):
        answer = httpx.request(
            method, f"{daemon.url}/admin/v1/settings", json={}, headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code == 403


def test_the_history_is_what_happened_in_each_step(client: Client, daemon: Daemon) -> None:
    request = RequestId("1")
    log = daemon.history

    def step() -> None:
        log.observe(RequestAccepted(id=request, model="m", num_prompt_tokens=100, cached_tokens=25, queue_s=0.1))
        log.observe(TokensEmitted(id=request, model="m", num_tokens=1, interval_s=0.5, is_first=True))
        log.observe(TokensEmitted(id=request, model="m", num_tokens=3, interval_s=0.5, is_first=False))
        vitals = Vitals(celsius=50.0, watts=None, busy_ratio=0.25)
        for _ in range(2):
            log.close_step(num_running=1, num_waiting=2, vitals=vitals, memory_used_bytes=7, gpus=())

    daemon.do(step)
    first, second = client.history().samples
    assert (first.ttft_s, first.cached_ratio, first.num_running, first.num_waiting) == (0.5, 0.25, 1, 2)
    assert first.tokens_per_s > 0
    assert (first.cpu_busy_ratio, first.temperature_celsius, first.gpu_watts) == (0.25, 50.0, None)
    assert (second.tokens_per_s, second.ttft_s, second.cached_ratio) == (0.0, None, None)


def test_what_removing_would_free_is_told_before(client: Client, daemon: Daemon) -> None:
    for _ in client.add_model(str(EMBEDDED_PATH), name="copied", copy=True):
        pass
    told = client.remove("copied", is_dry_run=True)
    assert told.freed_bytes == EMBEDDED_PATH.stat().st_size
    client.alias("copied", "second")
    assert client.remove("copied", is_dry_run=True).freed_bytes == 0  # the other name still needs the file
    client.remove("second")
    assert client.remove("copied").freed_bytes == told.freed_bytes


def test_the_part_of_the_appliance_cannot_be_removed_in_a_dry_run_either(client: Client) -> None:
    with pytest.raises(ClientError, match="part of the appliance"):
        client.remove("guide", is_dry_run=True)


def test_all_places_where_something_computed_is_kept_are_listed(client: Client, daemon: Daemon) -> None:
    daemon.scheduler.statuses = (loaded_status("guide"), loaded_status("late", "loading"))
    folder = daemon.home / "kv" / ("0" * 32)
    folder.mkdir(parents=True)
    tiers = client.response_cache().tiers
    assert [(tier.name, tier.model) for tier in tiers] == [
        ("kv", "guide"),
        ("prefixes", "guide"),
        ("prefixes_on_disk", None),
        ("answers", None),
        ("answers_on_disk", None),
    ]
    assert (tiers[0].max_tokens, tiers[2].used_bytes, tiers[2].max_bytes) == (4096, 0, 2**30)


def test_draining_is_asked_for_by_an_administrator(client: Client, daemon: Daemon) -> None:
    client.drain()
    assert daemon.parts.drain_switch.is_flipped.is_set()


def test_what_was_done_about_a_clients_habit_is_counted(http: httpx.Client) -> None:
    assert http.get("/v1/v1/models").status_code == 200
    assert 'appliance_normalized_requests_total{normalizer="doubled_prefix"} 1.0' in http.get("/metrics").text


def test_a_normalizer_that_is_switched_off_does_nothing(tmp_path: Path, timing: StreamTiming) -> None:
    off = NormalizersSettings(doubled_prefix=False, claude_code_billing=False, hosted_tools=False)
    with served(tmp_path, timing, normalizers=off) as daemon, httpx.Client(base_url=daemon.url, **NO_TLS) as http:
        assert http.get("/v1/v1/models").status_code == 404
        refused = http.post("/v1/responses", json={"input": "Hi", "tools": [{"type": "web_search"}]})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tools[0].type")
        assert "normalized_requests_total{" not in http.get("/metrics").text
