"""The place of the caches."""

from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from appliance.core.response_cache import CacheFigures, CacheTier, ClearedCache
from tests.conftest import RealDaemon
from tests.tui.conftest import SIZES, Drive, at_rest, driven, seen, until, until_seen
from tests.unit.cli.fake_daemon import FakeDaemon
from tui.app import Terminal
from tui.screens.cache_rows import lines
from tui.widgets.tones import plain

FIGURES = CacheFigures(
    mode="auto",
    scope="caller",
    disk_bytes=210 * 2**20,
    max_disk_bytes=2**30,
    num_entries=1234,
    memory_bytes=12 * 2**20,
    max_memory_bytes=64 * 2**20,
    num_hits=812,
    num_misses=400,
    num_shared=40,
    saved_tokens=123_456,
    saved_s=3725.0,
    tiers=(
        CacheTier(
            name="kv",
            model="guide",
            used_bytes=None,
            max_bytes=None,
            used_tokens=1230,
            max_tokens=4096,
            cached_ratio=0.83,
        ),
        CacheTier(name="prefixes", model="guide", used_bytes=31 * 2**20, max_bytes=32 * 2**20),
        CacheTier(name="kv", model="qwen3-8b:latest", used_bytes=None, max_bytes=None, used_tokens=0, max_tokens=32768),
        CacheTier(name="prefixes", model="qwen3-8b:latest", used_bytes=0, max_bytes=2**30),
        CacheTier(name="prefixes_on_disk", model=None, used_bytes=3 * 2**30, max_bytes=8 * 2**30),
        CacheTier(name="answers", model=None, used_bytes=12 * 2**20, max_bytes=64 * 2**20, cached_ratio=0.68),
        CacheTier(name="answers_on_disk", model=None, used_bytes=210 * 2**20, max_bytes=2**30),
    ),
)


@pytest.fixture
def caching_box(fake_box: FakeDaemon) -> FakeDaemon:
    fake_box.reply("GET", "/admin/v1/cache", FIGURES)
    return fake_box


@pytest.mark.parametrize("size", SIZES)
def test_it_looks_as_it_did(caching_box: FakeDaemon, fake_terminal: Terminal, snap_compare: Any, size: str) -> None:
    async def go(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("cache")
        await at_rest("Whole answers", " ●")(pilot)

    assert snap_compare(fake_terminal, terminal_size=SIZES[size], run_before=go)


def texts(figures: CacheFigures, width: int = 76) -> list[str]:
    return [plain(line) for line in lines(figures, width)]


def test_every_line_fits() -> None:
    assert max(map(len, texts(FIGURES, 76))) <= 76
    assert max(map(len, texts(FIGURES, 156))) <= 156


def test_a_tier_says_how_full_it_is_and_what_was_found_there() -> None:
    cells = next(line for line in texts(FIGURES) if "KV cache" in line)
    assert "1,230 of 4,096 tokens" in cells and " 30 %" in cells and " 83 % found" in cells


def test_what_was_saved_is_said_and_nothing_where_nobody_asked() -> None:
    assert "    asked 1,252 times · 68 % not computed · 812 found, 40 joined" in texts(FIGURES)
    assert "    saved 123,456 tokens · 1 h 2 min of computing, since the box started" in texts(FIGURES)
    unused = msgspec.structs.replace(FIGURES, num_hits=0, num_misses=0, num_shared=0)
    assert "    nobody asked for anything that could be kept since the box started" in texts(unused)


def test_a_box_that_knows_no_tiers_shows_its_answers() -> None:
    shown = "\n".join(texts(msgspec.structs.replace(FIGURES, tiers=())))
    assert "12 MiB of 64 MiB" in shown and "no model is in memory" in shown


def test_forgetting_answers_asks_first_and_a_no_keeps_them(caching_box: FakeDaemon, fake_terminal: Terminal) -> None:
    caching_box.reply("DELETE", "/admin/v1/cache", ClearedCache(num_entries=1234, freed_bytes=222 * 2**20))

    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("cache")
        await until_seen(pilot, "Whole answers")
        await pilot.press("d")
        await until_seen(pilot, "Forget all answers?", "1,234 answers are forgotten, which frees 222 MiB")
        await pilot.press("enter")
        await until(pilot, lambda: "Forget all answers?" not in seen(pilot.app))
        assert not [asked for asked in caching_box.asked if asked.method == "DELETE"]
        await pilot.press("d")
        await until_seen(pilot, "Forget all answers?")
        await pilot.press("y")
        await until_seen(pilot, "1,234 answers forgotten, 222 MiB freed")

    driven(fake_terminal, script)


def test_an_answer_that_was_kept_is_forgotten(drive: Drive, real_daemon: RealDaemon) -> None:
    question = {"messages": [{"role": "user", "content": "what is kept?"}], "max_tokens": 2, "temperature": 0}
    real_daemon.client.complete_chat(question)

    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("cache")
        await until_seen(pilot, "Whole answers", "KV cache")
        await until(pilot, lambda: real_daemon.client.response_cache().num_entries)
        await pilot.press("d")
        await until_seen(pilot, "Forget all answers?")
        await pilot.press("y")
        await until_seen(pilot, "forgotten")
        assert real_daemon.client.response_cache().num_entries == 0
        await pilot.press("d")
        await until_seen(pilot, "there is nothing to forget")

    drive(script)
