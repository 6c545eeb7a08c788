"""The place of the requests."""

import contextlib
import threading
from typing import Any

import pytest
from textual.pilot import Pilot

from appliance.client import Client, ClientError
from appliance.core.admin import RecentFigures, Requests
from appliance.core.request import Message
from tests.conftest import RealDaemon
from tests.tui.conftest import NOW_S, SIZES, Drive, at_rest, driven, until, until_seen
from tests.unit.cli.fake_daemon import FakeDaemon, request
from tui.app import Terminal
from tui.screens.requests_rows import Phases, phases, picture
from tui.widgets.tones import plain

ERROR = "model 'qwen3' needs 5.1 GiB, 3.8 GiB are free; try Q4_K_M or unload 'phi4'"
SOME = (
    request("a1", caller="alice", arrived_s=NOW_S - 3, duration_s=2.9),
    request(
        "b2",
        "waiting",
        caller="batch",
        priority="batch",
        arrived_s=NOW_S - 1,
        duration_s=1.2,
        queue_s=None,
        ttft_s=None,
        prompt_tokens=None,
        cached_tokens=None,
        completion_tokens=0,
        tokens_per_s=None,
    ),
    request(
        "c3", "done", arrived_s=NOW_S - 60, duration_s=12.4, reason="stop", completion_tokens=512, tokens_per_s=42.7
    ),
    request(
        "d4",
        "failed",
        model="qwen3",
        arrived_s=NOW_S - 70,
        duration_s=0.02,
        queue_s=None,
        ttft_s=None,
        reason="error",
        error=ERROR,
        tokens_per_s=None,
        completion_tokens=0,
    ),
    request("e5", "cancelled", arrived_s=NOW_S - 80, reason="cancelled"),
)
RECENT = RecentFigures(
    window_s=300.0, num_requests=42, median_ttft_s=0.132, median_tokens_per_s=51.2, cached_ratio=0.83
)


@pytest.fixture
def asked_box(fake_box: FakeDaemon) -> FakeDaemon:
    fake_box.reply("GET", "/admin/v1/requests", Requests(requests=SOME, recent=RECENT))
    return fake_box


@pytest.mark.parametrize("size", SIZES)
def test_it_looks_as_it_did(asked_box: FakeDaemon, fake_terminal: Terminal, snap_compare: Any, size: str) -> None:
    async def go(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("requests")
        await at_rest("5 of 5 requests", "42 answered", " ●")(pilot)

    assert snap_compare(fake_terminal, terminal_size=SIZES[size], run_before=go)


def test_the_time_of_a_request_is_shared_by_its_phases() -> None:
    spent = phases(SOME[0])
    assert (spent.queue_s, round(spent.prefill_s or 0, 3), round(spent.decode_s or 0, 3)) == (0.01, 0.39, 2.5)
    assert phases(SOME[1]) == Phases(1.2, None, None)
    reading = phases(request("r", ttft_s=None, queue_s=0.5, duration_s=2.0))
    assert reading == Phases(0.5, 1.5, None)


def test_each_phase_begins_in_the_picture_where_the_one_before_it_ends() -> None:
    drawn = [plain(line) for line in picture(request("r", queue_s=1.0, ttft_s=2.0, duration_s=4.0), 20)]
    assert [line[18:38] for line in drawn[:3]] == [
        "━━━━━               ",
        "     ━━━━━          ",
        "          ━━━━━━━━━━",
    ]
    assert [line.split()[0] for line in drawn[:3]] == ["queue", "prefill", "decode"]
    assert drawn[3].split() == ["0", "s", "4.0", "s"]


def test_a_phase_that_was_short_is_still_seen() -> None:
    drawn = [plain(line) for line in picture(request("r", queue_s=0.001, ttft_s=0.002, duration_s=9.0), 20)]
    assert all("━" in line for line in drawn[:3])


def test_a_filter_and_a_state_choose_rows(asked_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("requests")
        await until_seen(pilot, "5 of 5 requests")
        await pilot.press("slash", *"phi4", "enter")
        await until_seen(pilot, "1 of 5 requests", ERROR)
        await pilot.press("escape", "s")
        await until_seen(pilot, "shown: open", "2 of 5 requests")
        await pilot.press("s", "s")
        await until_seen(pilot, "shown: failed", "1 of 5 requests")
        await pilot.press("slash", *"nothing")
        await until_seen(pilot, "No request is like that. Esc shows all.")
        await pilot.press("escape")
        await until_seen(pilot, "5 of 5 requests")

    driven(fake_terminal, script)


def test_enter_shows_where_the_time_went(asked_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("requests")
        await until_seen(pilot, "5 of 5 requests")
        await pilot.press("down", "down", "enter")
        await until_seen(pilot, "Request to guide", "━━━━", "1,200 read, 1,000 of them cached, 512 written", "12.4 s")
        await pilot.press("escape", "c")
        await until(pilot, lambda: pilot.app.clipboard == "c3")

    driven(fake_terminal, script)


def test_one_that_has_ended_is_not_cancelled(asked_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("requests")
        await until_seen(pilot, "5 of 5 requests")
        await pilot.press("down", "down", "x")
        await until_seen(pilot, "this request has ended already")
        assert not [asked for asked in asked_box.asked if asked.method == "DELETE"]

    driven(fake_terminal, script)


def test_where_nobody_asked_it_says_what_will_be_here(fake_box: FakeDaemon, fake_terminal: Terminal) -> None:
    none = RecentFigures(
        window_s=300.0, num_requests=0, median_ttft_s=None, median_tokens_per_s=None, cached_ratio=None
    )
    fake_box.reply("GET", "/admin/v1/requests", Requests(requests=(), recent=none))

    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("requests")
        await until_seen(pilot, "No request came yet.", "the last 5 min: no request ended")

    driven(fake_terminal, script)


def test_a_request_that_runs_is_seen_and_cancelled(drive: Drive, real_daemon: RealDaemon) -> None:
    def run_on() -> None:
        message = Message(role="user", content="Count as far as you can.")
        with contextlib.suppress(ClientError):
            list(
                Client(real_daemon.url, real_daemon.client._transport._key).chat_stream(
                    None, [message], ignore_eos=True, n=4
                )
            )

    asking = threading.Thread(target=run_on)

    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("requests")
        await until_seen(pilot, "tokens/s")
        asking.start()
        await until_seen(pilot, "●  guide")
        await pilot.press("ctrl+home", "x")
        await until_seen(pilot, "is cancelled")
        await until_seen(pilot, "○ cancelled")

    drive(script)
    asking.join()


def test_what_a_key_may_not_see_is_said_in_one_place(asked_box: FakeDaemon, fake_terminal: Terminal) -> None:
    asked_box.refuse("GET", "/admin/v1/requests", 403, "this key may not see requests", "forbidden")
    said: list[str] = []

    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.notify = lambda message, **_: said.append(message)
        pilot.app.action_go("requests")
        await until_seen(pilot, "this key may not see requests", "press k to enter another key")
        num_asked = len(asked_box.asked)
        pilot.app.screen._renew()
        await until(pilot, lambda: len(asked_box.asked) > num_asked)
        await pilot.pause()
        assert said == []

    driven(fake_terminal, script)


def test_a_place_asks_no_oftener_after_a_dialog(asked_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("requests")
        await until_seen(pilot, "5 of 5 requests")
        place = pilot.app.screen
        before = place._ticking
        await pilot.press("enter")
        await until_seen(pilot, "Request to guide")
        await pilot.press("escape")
        await until(pilot, lambda: place._ticking is not before)
        assert before._task is None or before._task.done() or before._task.cancelling()

    driven(fake_terminal, script)
