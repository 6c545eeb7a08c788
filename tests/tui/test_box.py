"""What the terminal hears of its box, and says when there is none."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from appliance.client import Client
from tests.conftest import running_daemon
from tests.tui.conftest import driven, seen, until, until_seen
from tests.unit.cli.fake_daemon import FakeDaemon, Reply, request, requests, status
from tui.app import Terminal
from tui.screens.dashboard_happenings import KINDS
from tui.screens.requests import RequestsPlace


def test_a_wrong_key_is_a_sentence_and_another_can_be_entered(fake_box: FakeDaemon, fake_terminal: Terminal) -> None:
    fake_box.refuse("GET", "/admin/v1/status", 401, "this key is not known; ask for another", "unauthorized")

    async def script(pilot: Pilot[Any]) -> None:
        await until_seen(pilot, "refused", "this key is not known; ask for another")
        fake_box.reply("GET", "/admin/v1/status", status())
        await pilot.press("k")
        await until_seen(pilot, "API key")
        await pilot.press(*"sk-good", "enter")
        await until(pilot, lambda: pilot.app.box.status)
        assert fake_box.last("GET", "/admin/v1/status").headers["Authorization"] == "Bearer sk-good"

    driven(fake_terminal, script)


def test_what_a_key_may_not_is_said_by_the_place_once_and_until_it_may(
    fake_box: FakeDaemon, fake_terminal: Terminal
) -> None:
    refusal = "this needs a key of scope 'operate'; yours is of scope 'use'"
    fake_box.refuse("GET", "/admin/v1/requests", 403, refusal, "forbidden")

    async def script(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: pilot.app.box.status)
        await pilot.press("4")
        await until_seen(pilot, refusal, "press k to enter another key")
        assert "No request came yet" not in seen(pilot.app)
        assert not pilot.app._notifications
        fake_box.reply("GET", "/admin/v1/requests", requests())
        await until_seen(pilot, "No request came yet")
        assert refusal not in seen(pilot.app)

    driven(fake_terminal, script)


def test_the_dashboard_says_why_it_does_not_know_what_happened(fake_box: FakeDaemon, fake_terminal: Terminal) -> None:
    path = f"/admin/v1/events?last=2000&types={'%2C'.join(KINDS)}"
    fake_box.refuse("GET", path, 403, "this needs a key of scope 'operate'", "forbidden")

    async def script(pilot: Pilot[Any]) -> None:
        await until_seen(pilot, "▲  this needs a key of scope 'operate'")
        assert "nothing happened yet" not in seen(pilot.app)

    driven(fake_terminal, script)


def test_a_box_that_never_answered_is_not_said_to_be_well(fake_box: FakeDaemon, fake_terminal: Terminal) -> None:
    fake_box.refuse("GET", "/admin/v1/status", 401, "this key is not known", "unauthorized")

    async def script(pilot: Pilot[Any]) -> None:
        await until_seen(pilot, "this key is not known")
        untrue = ("nothing needs attention", "nothing happened yet", "No model is in memory")
        assert not [text for text in untrue if text in seen(pilot.app)]
        fake_box.reply("GET", "/admin/v1/status", status())
        await until_seen(pilot, *untrue)

    driven(fake_terminal, script)


def test_a_line_slower_than_the_beat_of_a_place_brings_its_answers_all_the_same(
    fake_box: FakeDaemon, fake_terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RequestsPlace, "EVERY_S", 0.02)

    class Slowly:
        def __iter__(self) -> Iterator[bytes]:
            threading.Event().wait(0.15)
            yield msgspec.json.encode(requests(request("a", model="slow-one")))

    fake_box.replies["GET", "/admin/v1/requests"] = Reply(Slowly())

    async def script(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: pilot.app.box.status)
        await pilot.press("4")
        await until_seen(pilot, "slow-one")

    driven(fake_terminal, script)


def test_a_box_that_was_started_anew_is_asked_with_the_key_that_it_has_now(
    fake_box: FakeDaemon, tmp_path: Path
) -> None:
    keys = iter(["sk-old", "sk-old", "sk-new"])
    key = "sk-old"

    def connect(typed: str | None) -> Client:
        nonlocal key
        key = next(keys, key)
        return Client(fake_box.url, key)

    fake_box.refuse("GET", "/admin/v1/status", 401, "this key is not known", "unauthorized")
    app = Terminal(connect, tmp_path)

    async def script(pilot: Pilot[Any]) -> None:
        await until_seen(pilot, "this key is not known")
        fake_box.reply("GET", "/admin/v1/status", status())
        await until(pilot, lambda: app.box.status)
        assert fake_box.last("GET", "/admin/v1/status").headers["Authorization"] == "Bearer sk-new"

    driven(app, script)


def test_it_says_that_nobody_answers_and_connects_again_when_the_box_is_back(tmp_path: Path) -> None:
    with running_daemon(tmp_path / "home") as first:
        url, port = first.url, first.url.rpartition(":")[2]
        key = first.client._transport._key  # of which the file goes with the daemon
        app = Terminal(lambda typed: Client(url, typed or key), tmp_path / "person")

        async def script(pilot: Pilot[Any]) -> None:
            await until(pilot, lambda: app.box.status)
            first.process.terminate()
            await until_seen(pilot, "no answer", f"no daemon answers at {url}")
            with running_daemon(tmp_path / "home", "--port", port):
                await until(pilot, lambda: app.box.lost is None)
                await until_seen(pilot, "the box answers again")

        driven(app, script)
