"""What stands in the rows of the models, and in which order. No terminal."""

import msgspec

from appliance.core.admin import Removed
from appliance.core.catalogue import CatalogueAnswer
from appliance.core.jobs import Job
from tests.tui.conftest import NOW_S
from tests.tui.model_boxes import (
    ADAPTER,
    ALIAS,
    COMPARISON,
    CRANE,
    FLOATS,
    GIB,
    GUIDE,
    HERON,
    ITEMS,
    fit,
    job,
    measured,
)
from tests.unit.cli.fake_daemon import loaded
from tui.screens.models_entries import Entry, Known, entries, holds, settled
from tui.screens.models_facts import sections
from tui.screens.models_orders import what_is_left
from tui.screens.models_pages import quality, table_of, types
from tui.screens.models_rows import row, sentence
from tui.widgets.tones import plain


def known(*jobs: Job) -> Known:
    return Known(
        models=(GUIDE, HERON, ALIAS, CRANE),
        catalogue=CatalogueAnswer(models=ITEMS, budget_bytes=12 * GIB, notes=()),
        adapters=(ADAPTER,),
        jobs={each.id: each for each in jobs},
    )


def names(found: list[Entry]) -> list[str]:
    return [entry.name for entry in found]


def entry(name: str, of: Known) -> Entry:
    return next(each for each in entries(of, NOW_S) if each.name == name)


def cell(name: str, column: str, of: Known) -> str:
    return plain(row(entry(name, of)).cells[column])


def test_what_is_installed_stands_first_and_what_cannot_be_used_last() -> None:
    assert names(entries(known(), NOW_S)) == [
        *("guide", "heron:4b", "heron:stable", "crane", "haiku"),
        *("heron-30b", "heron-4b", "tern-coder", "albatross-120b"),
    ]


def test_a_pull_is_shown_in_the_row_of_its_model_and_one_by_reference_in_its_own() -> None:
    elsewhere = job("job-2", arguments={"model": "hf:acme/owl-GGUF:Q8_0", "name": None})
    of = known(job("job-1"), elsewhere)
    assert cell("heron-4b", "state", of) == "━━━━─────  46 %"
    assert cell("heron-4b", "sign", of) == "↓"
    found = entries(of, NOW_S)
    assert names(found)[4] == "hf:acme/owl-GGUF:Q8_0"
    assert found[4].kind == "coming"


def test_a_row_keeps_its_place_when_its_model_has_come() -> None:
    before = [each.key for each in entries(known(job("job-1")), NOW_S)]
    after = known()
    after.models = (*after.models, msgspec.structs.replace(HERON, name="heron-4b"))
    kept = settled(entries(after, NOW_S), before)
    assert [each.key for each in kept] == before
    assert kept[before.index("model:heron-4b")].kind == "installed"


def test_what_is_new_stands_behind_its_neighbour() -> None:
    all_ = entries(known(), NOW_S)
    before = [each.key for each in all_ if each.name != "heron:stable"]
    assert settled(all_, before) == all_


def test_a_failure_is_shown_for_a_while() -> None:
    failed = job("job-1", state="failed", ended_s=NOW_S - 60)
    assert cell("heron-4b", "state", known(failed)) == "failed"
    assert entry("heron-4b", known(job("job-1", state="failed", ended_s=NOW_S - 3600))).job is None


def test_only_the_newest_job_of_a_model_counts() -> None:
    failed = job("job-1", state="failed", ended_s=NOW_S - 60, created_s=NOW_S - 100)
    again = job("job-2", created_s=NOW_S - 50)
    found = entry("heron-4b", known(failed, again)).job
    assert found is not None
    assert found.id == "job-2"


def test_work_at_an_installed_model_is_shown_in_its_row() -> None:
    measuring = job("job-1", "calibrate", "queued", arguments={"candidate": "heron:4b@somewhere"})
    assert cell("heron:4b", "state", known(measuring)) == "waiting"
    assert "measuring speed" in plain(sentence(entry("heron:4b", known(measuring))))


def test_a_measured_speed_goes_before_a_predicted_one_and_a_prediction_says_so() -> None:
    of = known()
    of.fits = {"heron:4b": fit("heron:4b", measured=measured(9.4)), "guide": fit("guide")}
    assert cell("heron:4b", "speed", of) == "9.4"
    assert cell("guide", "speed", of) == "~7.9"
    assert cell("tern-coder", "speed", of) == "~21"


def test_what_is_in_memory_shows_what_it_takes_there() -> None:
    of = known()
    of.live = {"guide": loaded("guide", memory_bytes=192 * 2**20, is_pinned=True)}
    assert cell("guide", "memory", of) == "192.0 MiB"
    assert cell("guide", "name", of) == "guide  default, pinned"
    assert cell("guide", "sign", of) == "●"


def test_a_damaged_model_says_so() -> None:
    assert cell("crane", "sign", known()) == "▲"
    assert plain(sentence(entry("crane", known()))) == "damaged: crane.gguf has changed on the disk"


def test_what_is_not_for_this_machine_says_why() -> None:
    assert cell("albatross-120b", "state", known()) == "not for here"
    assert "needs 63.5 GiB" in plain(sentence(entry("albatross-120b", known())))


def test_words_filter_by_what_is_known_of_a_model() -> None:
    found = entries(known(), NOW_S)

    def meant(*words: str) -> list[str]:
        return [each.name for each in found if holds(each, words)]

    assert meant("installed") == ["guide", "heron:4b", "heron:stable", "crane"]
    assert meant("catalogue", "fits") == ["heron-30b", "heron-4b", "tern-coder"]
    assert meant("code") == ["tern-coder"]
    assert meant("lora") == ["haiku"]
    assert meant("alias") == ["heron:stable"]
    assert meant("acme", "120b") == ["albatross-120b"]


def test_the_details_hold_everything_that_the_box_says() -> None:
    of = known()
    of.fits = {"heron:4b": fit("heron:4b", measured=measured(9.4), licence_note="name the authors")}
    said = [plain(fact.value) for each in sections(entry("heron:4b", of)) for fact in each.facts]
    for expected in (
        "up to 72,704 tokens; 12.0 GiB may be used now",
        "38.0 GiB, too much now",
        "9.4 tok/s",
        "name the authors",
        "1.2% worse than the original",
        "/models/guide.gguf",
        "llama_cpp is the fastest here, as measured",
    ):
        assert expected in said


def test_types_say_how_large_they_would_be() -> None:
    page = types(FLOATS, says="")
    sizes = {each.key: plain(each.cells["size"]) for each in page.rows}
    assert sizes["Q4_K_M"] == "~347.4 MiB"
    assert next(iter(sizes)) == "Q8_0"
    assert page.current == "Q4_K_M"


def test_the_table_of_types_says_what_is_recommended_and_what_loses_too_much() -> None:
    remarks = {each.key: plain(each.cells["remark"]) for each in quality(COMPARISON).rows}
    assert remarks == {
        "F16": "the original",
        "Q4_K_M": "● recommended, kept as tern-q4_k_m",
        "Q2_K": "▲ loses too much",
    }


def test_the_table_of_a_model_is_found_by_what_it_was_made_of_and_by_what_was_made() -> None:
    result = {"comparison": msgspec.to_builtins(COMPARISON), "models": ["tern-q4_k_m"]}
    done = job("job-9", "quantize", "done", arguments={"model": "tern:f16"}, result=result)
    assert table_of([done], "tern:f16") == COMPARISON
    assert table_of([done], "tern-q4_k_m") == COMPARISON
    assert table_of([done], "guide") is None


def test_deleting_says_what_is_freed_and_what_stays() -> None:
    assert what_is_left(Removed(name="a", freed_bytes=2 * GIB)) == "2.0 GiB on the disk are freed."
    assert "/stick/a.gguf" in what_is_left(Removed(name="a", freed_bytes=0, kept_path="/stick/a.gguf"))
    assert "same files" in what_is_left(Removed(name="a", freed_bytes=0))
