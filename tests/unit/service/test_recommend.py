"""Which models are recommended on which machine: a table over the machines of tests/data/hardware."""

from typing import get_args

import pytest
from msgspec.structs import replace

from appliance.backends.asked import MachineNow
from appliance.core.catalogue import CatalogueItem, Purpose
from appliance.core.hardware import Bandwidth
from appliance.hardware.probe import probe
from appliance.service.recommend import Wish, recommend
from appliance.settings import ModelsSettings, Settings
from models.catalogue.catalogue import Catalogue, Entry, built_in_entries, parse_catalogue
from tests.catalogues import GGUF, OURS
from tests.unit.hardware.machines import NAMES, tree_of

GIB = 2**30
ENTRIES = built_in_entries()
ONNX = replace(GGUF, name="onnx", formats=frozenset({"onnx"}), kv_types=("f32", "int8"))


def machine(name: str, settings: Settings | None = None, gb_per_s: float | None = None) -> MachineNow:
    snapshot = probe(tree_of(name))
    bandwidth = None if gb_per_s is None else Bandwidth(read_bytes_per_s=gb_per_s * 1e9, num_threads=4)
    budget_bytes = int(0.75 * snapshot.memory.total_bytes)
    return MachineNow(snapshot, (GGUF, ONNX), settings or Settings(), budget_bytes, bandwidth)


def best(name: str, wish: Wish, settings: Settings | None = None) -> CatalogueItem:
    return recommend(ENTRIES, machine(name, settings), wish)[0]


@pytest.mark.parametrize(
    ("name", "purpose", "language", "least", "most"),
    [
        ("raspberry-pi-4", "chat", None, 0.2, 2),
        ("raspberry-pi-5", "chat", None, 0.5, 2),
        ("raspberry-pi-5", "code", None, 1, 2),
        ("raspberry-pi-5", "embeddings", "zh", 0.01, 0.3),
        ("container-v1", "chat", None, 0.2, 2),
        ("haswell-desktop", "chat", None, 3, 25),
        ("rtx-workstation", "chat", None, 25, 130),
        ("rtx-workstation", "code", None, 25, 35),
        ("rtx-workstation", "embeddings", None, 0.4, 5),
        ("xeon-sapphire-rapids", "chat", None, 20, 130),
        ("jetson-agx-orin", "chat", None, 10, 35),
    ],
)
def test_a_machine_gets_a_model_of_its_size(
    name: str, purpose: Purpose, language: str | None, least: float, most: float
) -> None:
    item = best(name, Wish(purpose, language))
    assert least <= item.num_parameters / 1e9 <= most, (item.name, item.reasons)


@pytest.mark.parametrize("name", NAMES)
def test_every_machine_gets_something_for_every_purpose_with_its_reasons(name: str) -> None:
    now = machine(name)
    for purpose in get_args(Purpose):
        item = recommend(ENTRIES, now, Wish(purpose))[0]
        if now.snapshot.memory.total_bytes >= 4 * GIB:
            assert item.rank is not None, (purpose, item.reasons)
        assert any("may be used" in reason for reason in item.reasons)
        if item.rank is not None:
            assert item.memory_bytes is not None
            assert item.memory_bytes <= now.budget_bytes


def test_more_memory_bandwidth_makes_a_larger_dense_model_the_best() -> None:
    slow = recommend(ENTRIES, machine("rtx-workstation", gb_per_s=5), Wish("chat"))[0]
    fast = recommend(ENTRIES, machine("rtx-workstation", gb_per_s=900), Wish("chat"))[0]
    assert (fast.num_active_parameters or fast.num_parameters) > (slow.num_active_parameters or slow.num_parameters)
    assert fast.rank is not None
    assert slow.rank is not None
    assert fast.rank > slow.rank


def test_what_does_not_fit_comes_last_and_says_what_it_needs() -> None:
    items = recommend(ENTRIES, machine("raspberry-pi-5"), Wish("chat"))
    ranks = [item.rank for item in items]
    num_possible = sum(rank is not None for rank in ranks)
    assert 0 < num_possible < len(items)
    assert all(rank is not None for rank in ranks[:num_possible])
    huge = next(item for item in items if item.name == "gpt-oss-120b")
    assert huge.rank is None
    assert any("GiB at least; 5.9 GiB may be used" in reason for reason in huge.reasons)


def test_a_large_machine_gets_a_finer_quantization_and_a_small_one_a_lesser() -> None:
    def quantization(name: str) -> str | None:
        items = recommend(ENTRIES, machine(name), Wish(words=("qwen3-coder-30b-a3b",)))
        return items[0].quantization

    assert quantization("xeon-sapphire-rapids") == "Q8_0"
    assert quantization("rtx-workstation") == "Q4_K_M"
    assert quantization("epyc-vm") in ("Q4_0", "Q3_K_M")


def test_a_model_of_another_language_is_not_recommended() -> None:
    items = recommend(ENTRIES, machine("rtx-workstation"), Wish("embeddings", "zh"))
    english = next(item for item in items if item.name == "bge-large-en-v1.5")
    assert english.rank is None
    assert "not made for zh, but for en" in english.reasons
    assert "zh" in items[0].languages


def test_a_language_among_many_counts_less_than_a_main_one() -> None:
    def rank(language: str) -> float:
        items = recommend(ENTRIES, machine("rtx-workstation"), Wish("chat", language, ("qwen3-8b",)))
        assert items[0].rank is not None
        return items[0].rank

    assert rank("sv") == rank("zh") - 0.5


def test_a_licence_that_is_not_allowed_rules_a_model_out() -> None:
    settings = Settings(models=ModelsSettings(allowed_licences=("open",)))
    items = recommend(ENTRIES, machine("rtx-workstation", settings), Wish("chat"))
    by_name = {item.name: item for item in items}
    assert by_name["gemma3-12b"].rank is None
    assert any("models.allowed_licences" in reason for reason in by_name["gemma3-12b"].reasons)
    assert by_name["qwen3-14b"].rank is not None


def test_tools_are_asked_of_models_that_were_taught_them() -> None:
    items = recommend(ENTRIES, machine("rtx-workstation"), Wish("tools"))
    assert items
    assert all("tools" in item.capabilities for item in items)
    assert any("which is known here" in reason for reason in items[0].reasons)


def test_a_form_of_calls_that_is_only_guessed_speaks_against_a_model() -> None:
    ours = Catalogue(parse_catalogue(OURS.encode()))
    guessed = Catalogue(parse_catalogue(OURS.replace('"hermes"', '"generic"').encode()))
    known, unknown = (recommend(each, machine("rtx-workstation"), Wish()) for each in (ours, guessed))
    assert known[0].rank is not None
    assert unknown[0].rank is not None
    assert unknown[0].rank == pytest.approx(known[0].rank - 1)


def test_every_word_must_be_carried() -> None:
    items = recommend(ENTRIES, machine("rtx-workstation"), Wish(words=("Qwen", "fim")))
    assert {item.name for item in items} >= {"qwen2.5-coder-7b", "qwen3-coder-30b-a3b"}
    assert all("fim" in item.capabilities for item in items)
    assert not recommend(ENTRIES, machine("rtx-workstation"), Wish(words=("nothing-like-it",)))


def test_without_a_backend_nothing_is_recommended_and_the_reason_is_said() -> None:
    now = machine("rtx-workstation")
    off = replace(GGUF, state="unavailable", message="llama.cpp is missing", mend="pip install it")
    items = recommend(ENTRIES, MachineNow(now.snapshot, (off,), now.settings, now.budget_bytes), Wish("chat"))
    assert all(item.rank is None for item in items)
    assert any("mend it with: pip install it" in reason for reason in items[0].reasons)


def test_the_first_reference_is_the_one_that_was_judged() -> None:
    item = best("rtx-workstation", Wish(words=("qwen3-8b",)))
    assert item.references[0] == f"hf:unsloth/Qwen3-8B-GGUF:{item.quantization}"
    assert "ms:unsloth/Qwen3-8B-GGUF" in item.references


def test_the_order_is_the_same_whatever_the_order_of_the_entries() -> None:
    now = machine("haswell-desktop")
    backwards: tuple[Entry, ...] = ENTRIES[::-1]
    assert recommend(ENTRIES, now, Wish("chat")) == recommend(backwards, now, Wish("chat"))


def test_a_board_gets_a_model_of_speech_that_it_can_follow_and_a_workstation_the_best() -> None:
    assert best("raspberry-pi-5", Wish("transcription")).name == "whisper-small"
    assert best("rtx-workstation", Wish("transcription")).name == "whisper-large-v3-turbo"
