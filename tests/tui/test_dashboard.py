"""The place that shows what the box does."""

import math
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from appliance.core.admin import Done
from appliance.core.doctor import Diagnosis, Finding
from appliance.core.easing import Easing
from appliance.core.feed import FeedEvent
from appliance.core.history import GpuStatus, History, Sample
from appliance.core.jobs import Job, JobError, JobId, JobList
from tests.tui.conftest import NOW_S, PATIENCE_S, SIZES, Drive, at_rest, driven, until, until_seen
from tests.unit.cli.fake_daemon import FakeDaemon, Reply, installed, loaded, status
from tui.app import Terminal
from tui.box import Happened
from tui.widgets.cards import Cards

EVENTS = "/admin/v1/events?last=2000&types=hardware%2Cjob%2Cmemory%2Cmodel"
MODELS = (
    loaded(
        ttft_s=0.132,
        cached_ratio=0.83,
        choice="it is the fastest that was measured here",
        kv_used_tokens=1230,
    ),
    loaded(
        "qwen3-8b:latest",
        state="loading",
        load_ratio=0.43,
        memory_bytes=int(5.1 * 2**30),
        num_running=0,
        tokens_per_s=0.0,
        device="cuda0",
        gpu_layers=36,
    ),
    loaded(
        "phi4",
        is_pinned=True,
        memory_bytes=int(8.9 * 2**30),
        num_running=0,
        num_waiting=0,
        tokens_per_s=0.0,
        device_problem="planned for cuda0, where 2 GiB are free",
    ),
    loaded("broken", state="failed", reason="its file ends before the last tensor: fetch it again"),
)


def history() -> History:
    samples = tuple(
        Sample(
            time_s=NOW_S - 150 + 2 * number,
            tokens_per_s=40 + 30 * math.sin(number / 6),
            ttft_s=None if number % 3 else 0.1 + 0.002 * number,
            num_running=2,
            num_waiting=max(0, number - 60) // 3,
            cached_ratio=None if number % 3 else min(1.0, number / 80),
            cpu_busy_ratio=0.5 + 0.4 * math.sin(number / 9),
            memory_used_bytes=7 * 2**30 + number * 2**25,
            temperature_celsius=50 + number / 3,
            power_watts=20 + 15 * math.sin(number / 5),
            gpu_busy_ratio=0.9,
            gpu_memory_used_bytes=12 * 2**30,
            gpu_celsius=70.0,
            gpu_watts=180.0,
        )
        for number in range(75)
    )
    return History(interval_s=2.0, samples=samples)


def event(seq: int, type_: str, **data: object) -> FeedEvent:
    return FeedEvent(seq=seq, time_s=NOW_S - 600 + 30 * seq, type=type_, data=data)


HAPPENED = (
    event(1, "model.state", model="guide", state="loading", reason=""),
    event(2, "model.state", model="guide", state="ready", reason="loaded in 478 ms"),
    event(3, "job.state", id="j1", kind="pull", state="running", previous="queued", duration_s=None),
    event(4, "job.progress", id="j1", kind="pull", text="fetching", done=1.0, total=2.0, unit="bytes"),
    event(5, "job.state", id="j1", kind="pull", state="done", previous="running", duration_s=185.0),
    event(6, "model.state", model="broken", state="failed", reason="its file ends before the last tensor"),
    event(7, "hardware.easing", easing={"work_ratio": 0.75, "holds_batch": True, "reason": "the processor is hot"}),
    event(8, "memory.short", model="phi4", measure="a smaller context"),
    event(9, "model.state", model="qwen3-8b:latest", state="loading", reason=""),
)
FINDINGS = (
    Finding(
        check="keys.mode",
        state="warning",
        title="others can read the keys",
        reason="The file of the keys can be read by everybody on this machine.",
        mend="chmod 600 /var/lib/appliance/keys",
    ),
    Finding(check="settings", state="ok", title="the settings are valid"),
)
JOBS = (
    Job(
        id=JobId("j2"),
        kind="quantize",
        arguments={"model": "phi4"},
        caller="local",
        created_s=NOW_S - 900,
        state="failed",
        ended_s=NOW_S - 300,
        error=JobError(message="the disk is full: 2.1 GiB are missing"),
    ),
    Job(
        id=JobId("j1"),
        kind="pull",
        arguments={"model": "hf:Qwen/Qwen3-8B"},
        caller="local",
        created_s=NOW_S - 800,
        state="done",
        started_s=NOW_S - 790,
        ended_s=NOW_S - 605,
    ),
)


def tell(box: FakeDaemon, *events: FeedEvent) -> threading.Event:
    """Let the box tell of events to whoever listens to what happened, and then be silent until told."""
    has_ended = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"".join(b"data: %b\n\n" % msgspec.json.encode(each) for each in events) or b": nothing\n\n"
        has_ended.wait(PATIENCE_S)

    box.replies["GET", EVENTS] = Reply(pieces())
    return has_ended


@pytest.fixture
def busy_box(fake_box: FakeDaemon) -> Iterator[FakeDaemon]:
    gpu = GpuStatus(
        id="0",
        name="a GPU",
        busy_ratio=0.91,
        memory_used_bytes=12 * 2**30,
        memory_total_bytes=24 * 2**30,
        celsius=71.0,
        watts=182.0,
    )
    now = status(*MODELS)
    machine = msgspec.structs.replace(
        now.machine,
        temperature_celsius=88.0,
        power_watts=31.4,
        easing=Easing(work_ratio=0.75, holds_batch=True, reason="the processor is hot"),
        gpus=(gpu,),
    )
    fake_box.reply("GET", "/admin/v1/status", msgspec.structs.replace(now, machine=machine))
    fake_box.reply("GET", "/admin/v1/history", history())
    fake_box.reply("GET", "/admin/v1/doctor", Diagnosis(findings=FINDINGS, worst="warning"))
    fake_box.reply("GET", "/admin/v1/jobs", JobList(jobs=JOBS))
    has_ended = tell(fake_box, *HAPPENED)
    yield fake_box
    has_ended.set()


ALL_THERE = (
    "qwen3-8b:latest is being loaded",
    "others can read the keys",
    "12.0 GiB",
    "244 ms",
    " ●",
)


@pytest.mark.parametrize("size", SIZES)
def test_it_looks_as_it_did(busy_box: FakeDaemon, fake_terminal: Terminal, snap_compare: Any, size: str) -> None:
    seen_when_wide = ("pull hf:Qwen/Qwen3-8B is done",) if size == "160x48" else ()
    rest = at_rest(*ALL_THERE, *seen_when_wide)
    assert snap_compare(fake_terminal, terminal_size=SIZES[size], run_before=rest)


def test_an_idle_box_says_what_to_do(fake_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await until_seen(pilot, "No model is in memory.", "nothing needs attention", "nothing happened yet", "CPU")

    driven(fake_terminal, script)


def test_a_model_that_failed_is_loaded_again(busy_box: FakeDaemon, fake_terminal: Terminal) -> None:
    busy_box.stream("/admin/v1/models/load", Done(model=installed("broken")))

    async def script(pilot: Pilot[Any]) -> None:
        await until_seen(pilot, "Enter load again")
        await pilot.press("a", "enter")
        await until_seen(pilot, "broken is ready")
        assert busy_box.last("POST", "/admin/v1/models/load").body["model"] == "broken"

    driven(fake_terminal, script)


def test_the_command_that_mends_is_shown_and_can_be_copied(busy_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await until_seen(pilot, *ALL_THERE)
        await pilot.press("a", "down", "down", "enter")
        await until_seen(pilot, "The file of the keys can be read by everybody", "chmod 600")
        await pilot.press("c")
        await until(pilot, lambda: pilot.app.clipboard == "chmod 600 /var/lib/appliance/keys")

    driven(fake_terminal, script)


def test_what_is_mended_elsewhere_leads_there(busy_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await until_seen(pilot, *ALL_THERE)
        await pilot.press("a", "down", "enter")
        await until(pilot, lambda: pilot.app.current_mode == "jobs")
        await pilot.press("1")
        await until(pilot, lambda: pilot.app.current_mode == "dashboard")
        pilot.app.screen.query_one("#happened").focus()
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.current_mode == "models")

    driven(fake_terminal, script)


def test_enter_on_a_card_offers_its_details(busy_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await until_seen(pilot, *ALL_THERE)
        await pilot.press("down", "down", "enter")
        await until_seen(pilot, "let it leave the memory when it is idle", "unload it: frees 8.9 GiB")
        await pilot.press("enter")
        await until_seen(pilot, "not as planned", "planned for cuda0, where 2 GiB are free")

    driven(fake_terminal, script)


def test_a_click_chooses_a_card_and_a_second_one_opens_it(busy_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await until_seen(pilot, *ALL_THERE)
        cards = pilot.app.screen.query_one(Cards)
        await pilot.click(Cards, offset=(60, 3))
        await until(pilot, lambda: cards.chosen is not None and cards.chosen.name == "qwen3-8b:latest")
        await pilot.click(Cards, offset=(60, 3))
        await until_seen(pilot, "unload it: frees 5.1 GiB")

    driven(fake_terminal, script, SIZES["160x48"])


def test_a_model_is_unloaded_loaded_and_pinned_and_what_happened_is_told(drive: Drive) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        cards = pilot.app.screen.query_one(Cards)
        await until(pilot, lambda: cards.chosen is not None)
        await pilot.press("p")
        await until_seen(pilot, "guide · pinned")
        await pilot.press("p")
        await until(pilot, lambda: cards.chosen is not None and not cards.chosen.is_pinned)
        await pilot.press("u")
        await until_seen(pilot, "guide left the memory")
        await until(pilot, lambda: cards.chosen is None)
        await pilot.press("l")
        await until(pilot, lambda: cards.chosen is not None and cards.chosen.state == "ready")
        await until_seen(pilot, "guide is ready: loaded in")

    drive(script)


def test_a_request_that_failed_has_happened(busy_box: FakeDaemon, fake_terminal: Terminal) -> None:
    failed = event(10, "request.ended", caller="alice", model="guide", outcome="error", error="it ran out of memory")

    async def script(pilot: Pilot[Any]) -> None:
        await until_seen(pilot, *ALL_THERE)
        pilot.app._hear(Happened((failed,)))  # type: ignore[attr-defined]  # the application is the terminal
        await until_seen(pilot, "a request of alice to guide failed: it ran out of memory")

    driven(fake_terminal, script)
