"""The place of the models, driven by keys."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from appliance.core.admin import Done, InstalledModel, Progress, Removed
from appliance.core.calibration import CalibrationJobs
from appliance.core.jobs import Job
from appliance.core.settings_view import ChangedSettings, SettingChange
from appliance.core.store import CollectedGarbage, GarbageItem
from tests.conftest import RealDaemon
from tests.tui.conftest import SIZES, Drive, driven, seen, until, until_seen
from tests.tui.model_boxes import ADAPTER, COMPARISON, GIB, HERON, VERSIONS, fill, job
from tests.unit.cli.fake_daemon import FakeDaemon
from tests.unit.cli.test_explain import FOUND
from tui.app import Terminal
from tui.screens.models import ModelsPlace
from tui.widgets.table import Table

Go = Callable[[Pilot[Any]], Any]


@pytest.fixture
def models_box(fake_box: FakeDaemon) -> FakeDaemon:
    fill(fake_box, job("job-1"))
    return fake_box


async def go(pilot: Pilot[Any], *names: str) -> None:
    """Go to the place, to the row of a model, and wait until what is known of it is there."""
    pilot.app.action_go("models")
    await until_seen(pilot, "tern-coder")
    for name in names:
        await to_row(pilot, name)


async def to_row(pilot: Pilot[Any], name: str) -> None:
    """Put the cursor on a row."""
    place = pilot.app.screen
    assert isinstance(place, ModelsPlace)
    place.query_one(Table).go_to(f"model:{name}")
    await until(pilot, lambda: place.chosen is not None and place.chosen.name == name)


async def asked(pilot: Pilot[Any], box: FakeDaemon, method: str, path: str) -> Any:
    """Wait until a route was asked, and return the body of it."""
    await until(pilot, lambda: any((each.method, each.path) == (method, path) for each in box.asked))
    return box.last(method, path).body


@pytest.mark.parametrize("size", SIZES)
def test_it_looks_as_it_did(models_box: FakeDaemon, fake_terminal: Terminal, snap_compare: Any, size: str) -> None:
    async def wait(pilot: Pilot[Any]) -> None:
        await go(pilot, "heron:4b")
        await until_seen(pilot, "9.4")
        await until(pilot, lambda: _has_rested(pilot))

    assert snap_compare(fake_terminal, terminal_size=SIZES[size], run_before=wait)


def _has_rested(pilot: Pilot[Any]) -> bool:
    place = pilot.app.screen
    return "model:heron:4b" in place._meanings and len(place.known.fits) >= 5


def test_the_details_of_a_narrow_terminal_come_by_enter_and_look_as_they_did(
    models_box: FakeDaemon, fake_terminal: Terminal, snap_compare: Any
) -> None:
    async def wait(pilot: Pilot[Any]) -> None:
        await go(pilot, "heron:4b")
        await until(pilot, lambda: _has_rested(pilot))
        await pilot.press("enter")
        await until_seen(pilot, "up to 72,704 tokens")

    assert snap_compare(fake_terminal, terminal_size=(80, 24), run_before=wait)


def test_the_reasons_for_a_backend_look_as_they_did(
    models_box: FakeDaemon, fake_terminal: Terminal, snap_compare: Any
) -> None:
    models_box.reply("GET", "/admin/v1/explain/heron:4b", FOUND)

    async def wait(pilot: Pilot[Any]) -> None:
        await go(pilot, "heron:4b")
        await until(pilot, lambda: _has_rested(pilot))
        await pilot.press("e")
        await until_seen(pilot, "not installed", "pip install it", "━━━")

    assert snap_compare(fake_terminal, terminal_size=(100, 30), run_before=wait)


def test_a_filter_leaves_what_is_meant_and_escape_gives_all_back(
    models_box: FakeDaemon, fake_terminal: Terminal
) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot)
        await pilot.press("slash", *"fits code", "enter")
        await until_seen(pilot, "tern-coder", "1 of 10")
        assert "heron-30b" not in seen(pilot.app)
        await pilot.press("slash", *"xyz", "enter")
        await until_seen(pilot, "No model is meant by that")
        await pilot.press("escape")
        await until_seen(pilot, "heron-30b", "5 installed, 4 to have")
        assert pilot.app.screen.query_one("#filter", Input).value == ""

    driven(fake_terminal, script)


def test_the_details_can_be_left_and_copied(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "heron:4b")
        await until(pilot, lambda: _has_rested(pilot))
        await pilot.press("enter")
        await until_seen(pilot, "262,144 tokens 38.0 GiB, too much now")
        await pilot.press("c")
        assert "1.2% worse than the original" in pilot.app.clipboard
        await pilot.press("escape")
        await until_seen(pilot, "tern-coder")

    driven(fake_terminal, script)


def test_a_model_of_the_catalogue_is_fetched_in_the_type_that_suits(
    models_box: FakeDaemon, fake_terminal: Terminal
) -> None:
    arguments = {"model": "tern-coder:Q4_K_M", "name": "tern-coder"}
    models_box.reply("POST", "/admin/v1/models/pull", job("job-2", arguments=arguments), 202)

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "tern-coder")
        await pilot.press("g")
        await until_seen(pilot, "↓  tern-coder", "tern-coder: fetching  1.1 GiB of 2.4 GiB  3.2 MiB/s")
        body = await asked(pilot, models_box, "POST", "/admin/v1/models/pull")
        assert (body["model"], body["name"], body["quantization"]) == ("tern-coder", "tern-coder", "Q4_K_M")

    driven(fake_terminal, script)


def test_any_reference_can_be_fetched(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    arguments = {"model": "hf:acme/owl-GGUF:Q8_0", "name": None}
    models_box.reply("POST", "/admin/v1/models/pull", job("job-2", arguments=arguments), 202)

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot)
        await pilot.press("n")
        await until_seen(pilot, "Get a model")
        await pilot.press(*"hf:acme/owl-GGUF:Q8_0", "enter")
        await until_seen(pilot, "hf:acme/owl-GGUF:Q8_0: fetching")
        assert pilot.app.screen.chosen.kind == "coming"  # type: ignore[attr-defined]  # it is the place

    driven(fake_terminal, script)


def test_a_path_on_the_box_is_adopted(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    step = Progress(text="reading", done=1.0, total=2.0, unit="bytes")
    models_box.stream("/admin/v1/models", step, Done(model=HERON))

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot)
        await pilot.press("n")
        await until_seen(pilot, "Get a model")
        await pilot.press(*"/stick/a.gguf", "enter")
        await until_seen(pilot, "use it where it lies")
        await pilot.press("enter")
        assert (await asked(pilot, models_box, "POST", "/admin/v1/models"))["path"] == "/stick/a.gguf"
        await until_seen(pilot, "heron:4b is here")

    driven(fake_terminal, script)


def test_a_pull_is_halted_goes_on_and_is_given_up(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    models_box.reply("POST", "/admin/v1/jobs/job-1/pause", job("job-1", state="paused"))
    models_box.reply("POST", "/admin/v1/jobs/job-1/resume", job("job-1"))
    models_box.reply("DELETE", "/admin/v1/jobs/job-1", job("job-1", state="cancelled"))

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "heron-4b")
        await pilot.press("space")
        await until_seen(pilot, "‖  heron-4b", "paused 46 %")
        await pilot.press("space")
        await until_seen(pilot, "↓  heron-4b")
        await pilot.press("x")
        await until_seen(pilot, "Give up fetching heron-4b?", "1.1 GiB, is deleted")
        fill(models_box, job("job-1", state="cancelled"))
        await pilot.press("y")
        await until_seen(pilot, "+  heron-4b")

    driven(fake_terminal, script)


def test_who_is_not_sure_gives_nothing_up(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "heron-4b")
        await pilot.press("x")
        await until_seen(pilot, "Give up fetching")
        await pilot.press("enter")
        await until_seen(pilot, "Pause/resume")
        assert not [each for each in models_box.asked if each.method == "DELETE"]

    driven(fake_terminal, script)


def test_types_are_chosen_by_their_size_and_made(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    models_box.reply("POST", "/admin/v1/jobs", job("job-2", "quantize", "queued", arguments={"model": "tern:f16"}), 202)

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "tern:f16")
        await pilot.press("z")
        await until_seen(pilot, "~347.4 MiB", "the usual choice")
        await pilot.press("space", "up", "space", "enter")
        await until_seen(pilot, "tern:f16: Q5_K_M, Q4_K_M")
        await pilot.press("enter")
        body = await asked(pilot, models_box, "POST", "/admin/v1/jobs")
        assert body["kind"] == "quantize"
        assert body["arguments"] == {"model": "tern:f16", "to": ["Q5_K_M", "Q4_K_M"], "force": False}
        await until_seen(pilot, "tern:f16: quantizing, waiting")

    driven(fake_terminal, script)


def test_what_was_measured_of_the_types_is_a_table(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    result = {"comparison": msgspec.to_builtins(COMPARISON), "models": ["tern-q4_k_m"]}
    fill(models_box, job("job-2", "quantize", "done", arguments={"model": "tern:f16"}, result=result))

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "guide")
        await pilot.press("t")
        await until_seen(pilot, "Nothing is measured of its types yet")
        await to_row(pilot, "tern:f16")
        await pilot.press("t")
        await until_seen(pilot, "Types of tern", "● recommended", "▲ loses too much", "2.1%")

    driven(fake_terminal, script)


@pytest.mark.parametrize(
    ("key", "answers", "route", "body"),
    [
        ("f", ("down",), "/admin/v1/jobs", {"kind": "convert", "arguments": {"model": "guide", "precision": "Q8_0"}}),
        ("o", ("down",), "/admin/v1/models/compile", {"model": "guide", "bits": 8}),
        ("s", None, "/admin/v1/models/scrub", {"model": "guide", "max_bytes_per_s": None}),
    ],
)
def test_longer_work_is_ordered_and_shown_in_the_row(
    models_box: FakeDaemon,
    fake_terminal: Terminal,
    key: str,
    answers: tuple[str, ...] | None,
    route: str,
    body: dict[str, Any],
) -> None:
    models_box.reply("POST", route, _work("queued"), 202)

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "guide")
        await pilot.press(key)
        if answers is not None:
            await until_seen(pilot, "Enter: choose")
            await pilot.press(*answers, "enter")
        assert await asked(pilot, models_box, "POST", route) == body
        await until_seen(pilot, "guide: verifying, waiting")

    driven(fake_terminal, script)


def test_measuring_says_what_it_waits_for(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    ordered = CalibrationJobs(model="guide", jobs=(_work("queued"),), waits_for="the requests that run end first")
    models_box.reply("POST", "/admin/v1/models/calibrate", ordered, 202)

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "guide")
        await pilot.press("b")
        await until_seen(pilot, "the requests that run end first", "waiting")

    driven(fake_terminal, script)


def test_the_end_of_what_was_ordered_is_told(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    models_box.reply("POST", "/admin/v1/models/scrub", _work("queued"), 202)

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "guide")
        await pilot.press("s")
        await until_seen(pilot, "waiting")
        fill(models_box, _work("done", result={"note": "all files are what they were"}))
        pilot.app.screen.renew_soon()
        await until_seen(pilot, "all files are what they were")

    driven(fake_terminal, script)


def test_a_name_goes_back_to_a_version(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    models_box.reply("POST", "/admin/v1/models/rollback", VERSIONS)

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "heron:4b")
        await pilot.press("v")
        await until_seen(pilot, "Versions of heron:4b", "● current")
        await pilot.press("down", "enter")
        assert await asked(pilot, models_box, "POST", "/admin/v1/models/rollback") == {
            "model": "heron:4b",
            "version": 1,
        }
        await until_seen(pilot, "heron:4b is version 1 now")

    driven(fake_terminal, script)


def test_the_default_model_is_a_setting(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    change = SettingChange(key="models.default_model", before="guide", value="heron:4b", takes_effect="restart")
    changed = ChangedSettings(file="/etc/appliance.toml", backup=None, changes=(change,))
    models_box.reply("PATCH", "/admin/v1/settings", changed)

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "heron:4b")
        await pilot.press("D")
        await until_seen(pilot, "heron:4b is the default model from the next start on")

    driven(fake_terminal, script)


def test_what_belongs_to_no_model_is_shown_before_it_goes(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    item = GarbageItem(kind="blob", name="sha256-77", size_bytes=GIB)
    models_box.reply("POST", "/admin/v1/models/gc", CollectedGarbage(is_dry_run=True, size_bytes=GIB, items=(item,)))

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot)
        await pilot.press("G")
        await until_seen(pilot, "Free 1.0 GiB that belong to no model?", "sha256-77")
        assert models_box.last("POST", "/admin/v1/models/gc").body["is_dry_run"]
        await pilot.press("y")
        await until(pilot, lambda: not models_box.last("POST", "/admin/v1/models/gc").body["is_dry_run"])

    driven(fake_terminal, script)


def test_deleting_says_what_is_freed_and_asks(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    path = "/admin/v1/models/heron:4b"
    models_box.reply("DELETE", f"{path}?dry_run=true", Removed(name="heron:4b", freed_bytes=2 * GIB))
    models_box.reply("DELETE", path, Removed(name="heron:4b", freed_bytes=2 * GIB))

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "heron:4b")
        await pilot.press("d")
        await until_seen(pilot, "Delete heron:4b?", "2.0 GiB on the disk are freed.")
        assert not [each for each in models_box.asked if (each.method, each.path) == ("DELETE", path)]
        await pilot.press("y")
        await asked(pilot, models_box, "DELETE", path)
        await until_seen(pilot, "heron:4b is deleted")

    driven(fake_terminal, script)


def test_an_adapter_is_deleted(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    models_box.reply("DELETE", "/admin/v1/adapters/haiku", Removed(name="haiku", freed_bytes=ADAPTER.size_bytes))

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot)
        pilot.app.screen.query_one(Table).go_to("adapter:haiku")
        await until_seen(pilot, "a LoRA adapter for heron:4b")
        await pilot.press("d")
        await until_seen(pilot, "Delete haiku?", "12.0 MiB")
        await pilot.press("y")
        await asked(pilot, models_box, "DELETE", "/admin/v1/adapters/haiku")

    driven(fake_terminal, script)


def test_what_is_refused_is_a_sentence(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    models_box.refuse("POST", "/admin/v1/models/pull", 409, "there is no room for 2.4 GiB", "conflict")

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "tern-coder")
        await pilot.press("g")
        await until_seen(pilot, "there is no room for 2.4 GiB")

    driven(fake_terminal, script)


def test_more_offers_what_the_row_allows(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    models_box.reply("POST", "/admin/v1/models/scrub", _work("queued"), 202)

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "tern-coder")
        await pilot.press("m")
        await until_seen(pilot, "Get by a reference")
        assert "Quantize" not in seen(pilot.app)
        await pilot.press("escape")
        await to_row(pilot, "guide")
        await pilot.press("m")
        await until_seen(pilot, "s   Verify its files", "z   Quantize")
        await pilot.press(*["down"] * 7, "enter")
        await asked(pilot, models_box, "POST", "/admin/v1/models/scrub")

    driven(fake_terminal, script)


def test_a_box_that_knows_no_adapters_shows_its_models(models_box: FakeDaemon, fake_terminal: Terminal) -> None:
    del models_box.replies["GET", "/admin/v1/adapters"]

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot)
        assert "haiku" not in seen(pilot.app)

    driven(fake_terminal, script)


def test_a_model_is_unloaded_loaded_pinned_and_let_go(drive: Drive) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("models")
        await until_seen(pilot, "●  guide  default", "ready")
        await pilot.press("u")
        await until_seen(pilot, "○  guide", "stopped", "guide is out of memory")
        await pilot.press("l")
        await until_seen(pilot, "●  guide", "guide is in memory")
        await pilot.press("p")
        await until_seen(pilot, "guide  default, pinned", "guide stays in memory")
        await pilot.press("p")
        await until_seen(pilot, "guide may go when idle")
        await until(pilot, lambda: "pinned" not in seen(pilot.app))

    drive(script)


def test_an_alias_is_set_and_deleted_without_its_files(drive: Drive, real_daemon: RealDaemon) -> None:
    def here(name: str) -> list[InstalledModel]:
        return [model for model in real_daemon.client.models() if model.name == name]

    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("models")
        await until_seen(pilot, "●  guide")
        await pilot.press("a")
        await until_seen(pilot, "An alias for guide")
        await pilot.press(*"helper:new", "enter")
        await until_seen(pilot, "helper:new is guide now", "○  helper:new  alias")
        assert here("helper:new")[0].alias_of == "guide"
        await to_row(pilot, "helper:new")
        await pilot.press("d")
        await until_seen(pilot, "Delete helper:new?")
        await pilot.press("y")
        await until(pilot, lambda: not here("helper:new"))
        await until(pilot, lambda: "○  helper:new" not in seen(pilot.app))

    drive(script)


def test_the_choice_of_a_backend_is_explained(drive: Drive) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("models")
        await until_seen(pilot, "●  guide")
        await pilot.press("e")
        await until_seen(pilot, "How it runs, and why", "guide runs as", "1.00 ━")
        await pilot.press("c")
        assert "guide runs as" in pilot.app.clipboard
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, ModelsPlace))

    drive(script)


def _work(state: Any, **changes: Any) -> Job:
    return job("job-7", "scrub", state, arguments={"model": "guide"}, **changes)
