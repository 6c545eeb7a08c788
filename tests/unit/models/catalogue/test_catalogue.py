"""The catalogue: every file of it is sound, and a name means one thing that can be fetched."""

import re
import tomllib
from pathlib import Path

import pytest

from appliance.core.catalogue import Purpose as WirePurpose
from appliance.core.template_families import FAMILY_NAMES
from models.catalogue.catalogue import (
    BUILT_IN,
    Catalogue,
    CatalogueError,
    Entry,
    Purpose,
    built_in_entries,
    parse_catalogue,
)
from models.catalogue.licences import kind_of, normalise
from models.catalogue.name_check import check_name
from models.names import ModelName
from tests.catalogues import OURS

ENTRIES = built_in_entries()
FILES = sorted(BUILT_IN.glob("*.toml"))


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue(ENTRIES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_says_where_it_has_its_facts_from(file: Path) -> None:
    assert file.read_text(encoding="utf-8").startswith("# Sources: ")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.model.name)
def test_an_entry_is_sound(entry: Entry) -> None:
    model = entry.model
    assert str(ModelName.parse(model.name)) == model.name
    assert model.template is None or model.template in FAMILY_NAMES
    assert normalise(model.licence) == model.licence
    assert kind_of(model.licence) != "unknown"
    assert (model.template is None) == bool({"embedding", "rerank", "transcription"} & set(model.capabilities))
    assert len({source.reference for source in model.sources}) == len(model.sources)
    assert model.num_active_parameters is None or model.num_active_parameters < model.num_parameters
    for source in model.sources:
        assert re.fullmatch(r"(hf|ms):[\w.-]+/[\w.-]+|ollama:[\w.-]+:[\w.-]+", source.reference)
        assert set(source.files) <= set(source.quantizations)
        assert source.format != "onnx" or not source.quantizations


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.model.shape], ids=lambda entry: entry.model.name)
def test_a_shape_and_the_number_of_parameters_are_of_one_model(entry: Entry) -> None:
    model, shape = entry.model, entry.model.shape
    assert shape is not None
    attention = shape.embedding_length * shape.head_length * 2 * (shape.num_heads + shape.num_kv_heads)
    feed_forward = 3 * shape.embedding_length * shape.feed_forward_length
    least = shape.num_layers * attention
    most = shape.num_layers * (attention + feed_forward) + 2 * shape.vocab_size * shape.embedding_length
    assert least < model.num_parameters
    if model.num_active_parameters is None and shape.num_kv_layers is None:
        assert model.num_parameters <= most


def test_no_two_models_share_a_name() -> None:
    assert len(Catalogue(ENTRIES)) == len(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.model.name)
def test_no_name_of_the_catalogue_is_taken_for_an_imitation(entry: Entry) -> None:
    assert check_name(entry.model.name) is None
    assert check_name(f"{entry.model.name}-q4_k_m") is None
    assert check_name(entry.model.name, (entry.model.title, entry.publisher, entry.model.sources[0].reference)) is None


def test_every_wanted_family_is_there() -> None:
    families = {entry.family for entry in ENTRIES}
    assert families >= {"Qwen3", "Qwen2.5", "Llama 3", "Gemma", "Phi-4", "Mistral", "GLM-4", "DeepSeek R1", "SmolLM"}
    assert families >= {"gpt-oss", "BGE", "Multilingual E5", "Nomic Embed", "MiniLM", "Qwen3 Embedding", "Whisper"}


def test_the_wire_knows_the_same_purposes() -> None:
    assert WirePurpose == Purpose


def test_a_bare_name_is_the_usual_quantization_of_the_first_source(catalogue: Catalogue) -> None:
    assert catalogue.reference_for("Qwen3-0.6B").reference == "hf:unsloth/Qwen3-0.6B-GGUF:Q4_K_M"
    assert catalogue.reference_for("qwen3-0.6b:latest").quantization == "Q4_K_M"


def test_a_quantization_is_chosen_by_its_name_in_any_spelling(catalogue: Catalogue) -> None:
    assert catalogue.reference_for("qwen3-0.6b:q8_0").reference == "hf:unsloth/Qwen3-0.6B-GGUF:Q8_0"


def test_a_quantization_of_a_later_source_is_found_there(catalogue: Catalogue) -> None:
    reference = catalogue.reference_for("llama3.2-1b:Q8_0").reference
    assert reference == "hf:hugging-quants/Llama-3.2-1B-Instruct-Q8_0-GGUF:Q8_0"


def test_a_source_of_one_form_is_named_as_it_is(catalogue: Catalogue) -> None:
    assert catalogue.reference_for("all-minilm-l6-v2").reference == "hf:Xenova/all-MiniLM-L6-v2"


def test_what_the_catalogue_promises_of_a_file_comes_with_its_reference() -> None:
    chosen = Catalogue(parse_catalogue(OURS.encode())).reference_for("heron-support")
    assert chosen.reference == "https://models.example/heron.gguf"
    assert (chosen.size_bytes, chosen.sha256) == (640_000_000, "0" * 64)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("qwen3-0.6", "did you mean 'qwen3-0.6b'"),
        ("nothing-like-it", "appliance models search"),
        ("qwen3-0.6b:Q9", "it is as BF16, Q2_K"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(catalogue: Catalogue, name: str, words: str) -> None:
    with pytest.raises(CatalogueError, match=re.escape(words)):
        catalogue.reference_for(name)


def test_an_imported_model_comes_before_a_built_in_one_of_its_name() -> None:
    text = OURS.replace("heron-support", "qwen3-8b")
    both = Catalogue([*parse_catalogue(text.encode(), "ours.toml"), *ENTRIES])
    entry = both.get("qwen3-8b:Q8_0")
    assert entry is not None
    assert (entry.origin, len(both)) == ("ours.toml", len(ENTRIES))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("judgement", "judgment", "unknown field `judgment`"),
        ('"apache-2.0"', "5", "licence"),
        ('"heron-support"', '"Heron"', "name"),
        ('"https://models.example/heron.gguf"', '"file:/etc/passwd"', "reference"),
        ("schema_version = 1", "schema_version = 2", "schema_version"),
        ("600_000_000", "-1", "num_parameters"),
        ('"0000', '"xyz0', "sha256"),
        ("[[models]]", "[[models", "the catalogue cannot be used"),
    ],
)
def test_a_wrong_file_is_refused_by_its_field(old: str, new: str, words: str) -> None:
    assert old in OURS
    with pytest.raises(CatalogueError, match=words):
        parse_catalogue(OURS.replace(old, new, 1).encode())


def test_a_file_with_one_name_twice_is_refused() -> None:
    text = OURS + OURS[OURS.index("[[models]]") :]
    assert len(tomllib.loads(text)["models"]) == 2
    with pytest.raises(CatalogueError, match="two models 'heron-support'"):
        parse_catalogue(text.encode())
