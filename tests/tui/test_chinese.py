"""The terminal in Chinese: whose characters are two columns wide, in tables, titles and the line of keys."""

from collections.abc import Iterator
from typing import Any

import pytest
from textual.pilot import Pilot

from appliance.words import use_language
from tests.tui.conftest import SIZES, at_rest, driven, until, until_seen
from tests.unit.cli.fake_daemon import FakeDaemon, loaded, status
from tui.app import Terminal
from tui.places import PLACES

MODELS = (
    loaded(ttft_s=0.132, cached_ratio=0.83, kv_used_tokens=1230),
    loaded("qwen3-8b:latest", state="loading", load_ratio=0.43, num_running=0, tokens_per_s=0.0),
    loaded("broken", state="failed", reason="its file ends before the last tensor"),
)


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    use_language("zh")
    yield
    use_language("en")


def test_it_looks_as_it_did(fake_box: FakeDaemon, fake_terminal: Terminal, snap_compare: Any) -> None:
    fake_box.reply("GET", "/admin/v1/status", status(*MODELS))
    rest = at_rest("概览", "就绪", "加载中", "broken: its file ends")
    assert snap_compare(fake_terminal, terminal_size=SIZES["80x24"], run_before=rest)


def test_the_keys_of_every_place_fit_into_eighty_columns(fake_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        for number, place in enumerate(PLACES, 1):
            await pilot.press(str(number))
            await until(pilot, lambda name=place.name: pilot.app.screen.name == name)
            if place.name == "chat":
                await pilot.press("escape")  # until then, letters are written
            await until_seen(pilot, "q 退出", "^p 命令")  # the last ones: what has no room is left out

    driven(fake_terminal, script, SIZES["80x24"])
