"""LoRA adapters: taken in as models are, and applied in thought, matrix by matrix, to the models they might fit."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import NameTaken, StoreError, UnknownModel
from models.formats.lora import LoraError, read_gguf_lora, read_peft_lora
from models.manifest import ModelManifest
from models.names import InvalidModelName
from models.store.garbage import GarbagePolicy
from models.store.store import ModelStore
from tests.unit.models.loras import (
    BASE_SHAPES,
    HIDDEN,
    PEFT_SHAPES,
    RANK,
    TOKENS,
    WIDTH,
    pair,
    write_base,
    write_lora,
    write_peft,
    write_safetensors,
)
from tests.unit.models.store.test_store import add, blobs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(root: Path) -> ModelStore:
    return ModelStore(root)


@pytest.fixture
def base(store: ModelStore, tmp_path: Path) -> ModelManifest:
    return add(store, write_base(tmp_path / "base.gguf"), "base")


def test_an_adapter_in_gguf_says_what_it_changes(store: ModelStore, tmp_path: Path) -> None:
    adapter = store.adapters.add(write_lora(tmp_path / "Tone 1.gguf"), None, False, 5.0)
    details = adapter.details
    assert (adapter.name, adapter.format, adapter.files[0].role) == ("tone-1", "gguf", "adopted")
    assert (details.rank, details.alpha, details.architecture, details.name) == (RANK, 16.0, "llama", "Tone")
    assert details.targets == ("attn_q", "ffn_down")
    assert details.num_parameters == RANK * (4 * WIDTH + HIDDEN - WIDTH)
    assert ModelStore(tmp_path / "home").adapters.list() == [adapter]


def test_a_folder_of_peft_says_what_it_changes(store: ModelStore, root: Path, tmp_path: Path) -> None:
    adapter = store.adapters.add(write_peft(tmp_path / "tone"), None, True, 5.0)
    assert (adapter.details.rank, adapter.details.alpha, adapter.details.base) == (RANK, 8.0, "acme/tiny")
    assert adapter.details.targets == ("down_proj", "q_proj")
    assert len(blobs(root)) == 2
    opened = store.adapters.opened_path(adapter)
    assert sorted(path.name for path in opened.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert read_peft_lora(opened).rank == RANK


@pytest.mark.parametrize("target", BASE_SHAPES)
def test_a_pair_for_any_matrix_of_the_base_fits(
    store: ModelStore, base: ModelManifest, tmp_path: Path, target: str
) -> None:
    adapter = store.adapters.add(write_lora(tmp_path / "a.gguf", pair(target)), None, False, 0.0, base)
    assert store.adapters.misfits(adapter, base) == []


@pytest.mark.parametrize(
    ("shapes", "said", "reason"),
    [
        (None, {"general__architecture": "qwen3"}, "made for the architecture 'qwen3', the model's is 'llama'"),
        (
            {"blk.0.attn_q.weight.lora_a": (RANK, 5), "blk.0.attn_q.weight.lora_b": (WIDTH, RANK)},
            {},
            "tensor 'blk.0.attn_q.weight' is 8 × 8 in the model, and the adapter changes one of 8 × 5",
        ),
        (
            {"blk.7.attn_q.weight.lora_a": (RANK, 8), "blk.7.attn_q.weight.lora_b": (8, RANK)},
            {},
            "the model has no tensor 'blk.7.attn_q.weight'",
        ),
    ],
)
def test_an_adapter_of_another_base_is_refused_with_the_matrix_that_differs(
    store: ModelStore, base: ModelManifest, tmp_path: Path, shapes: Any, said: dict[str, Any], reason: str
) -> None:
    path = write_lora(tmp_path / "a.gguf", shapes, **said)
    with pytest.raises(StoreError) as refused:
        store.adapters.add(path, None, False, 0.0, base)
    assert reason in str(refused.value)
    assert store.adapters.list() == []
    assert store.adapters.misfits(store.adapters.add(path, None, False, 0.0), base) == [reason] or "made for" in reason


def test_of_many_misfits_some_are_named_and_the_rest_counted(
    store: ModelStore, base: ModelManifest, tmp_path: Path
) -> None:
    shapes = {
        f"blk.{n}.attn_q.weight.lora_{half}": shape
        for n in range(1, 9)
        for half, shape in (("a", (RANK, WIDTH)), ("b", (WIDTH, RANK)))
    }
    adapter = store.adapters.add(write_lora(tmp_path / "a.gguf", shapes), None, False, 0.0)
    reasons = store.adapters.misfits(adapter, base)
    assert len(reasons) == 4
    assert reasons[-1] == "and 5 more of its 8 matrices"


def test_a_folder_of_peft_fits_the_same_model_in_gguf(store: ModelStore, base: ModelManifest, tmp_path: Path) -> None:
    adapter = store.adapters.add(write_peft(tmp_path / "a"), None, False, 0.0)
    assert store.adapters.misfits(adapter, base) == []
    wider = {name: tuple(n + 1 if n == HIDDEN else n for n in shape) for name, shape in PEFT_SHAPES.items()}
    other = store.adapters.add(write_peft(tmp_path / "b", wider), None, False, 0.0)
    assert "'blk.0.ffn_down.weight' is 8 × 16 in the model" in store.adapters.misfits(other, base)[0]


def test_the_embedding_of_peft_lies_the_other_way_round(store: ModelStore, base: ModelManifest, tmp_path: Path) -> None:
    name = "base_model.model.model.embed_tokens.lora_embedding_"
    folder = write_peft(tmp_path / "a", {f"{name}A": (RANK, TOKENS), f"{name}B": (WIDTH, RANK)})
    assert store.adapters.misfits(store.adapters.add(folder, None, False, 0.0), base) == []


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"general__type": "model"}, "it is a model, not an adapter"),
        ({"general__type": None}, "it is a model, not an adapter"),
        ({"adapter__type": "alora"}, "of the type 'alora'"),
    ],
)
def test_what_is_no_lora_in_gguf_is_refused(tmp_path: Path, said: dict[str, Any], problem: str) -> None:
    with pytest.raises(LoraError, match=problem):
        read_gguf_lora(write_lora(tmp_path / "a.gguf", **said))


@pytest.mark.parametrize(
    ("shapes", "problem"),
    [
        ({}, "no pair of matrices"),
        ({"blk.0.attn_q.weight.lora_a": (4, 8)}, "no other half"),
        ({"x.lora_a": (4, 8), "x.lora_b": (8, 3)}, "do not fit each other"),
        ({"x.lora_a": (8,), "x.lora_b": (8,)}, "have the shapes"),
    ],
)
def test_pairs_that_are_none_are_refused(tmp_path: Path, shapes: dict[str, tuple[int, ...]], problem: str) -> None:
    with pytest.raises(LoraError, match=problem):
        read_gguf_lora(write_lora(tmp_path / "a.gguf", shapes))


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"peft_type": "IA3"}, "of the type 'IA3'"),
        ({"use_dora": True}, "DoRA"),
        ({"fan_in_fan_out": True}, "transposed"),
        ({"r": "four"}, "cannot be read"),
    ],
)
def test_other_methods_of_peft_are_refused(tmp_path: Path, config: dict[str, Any], problem: str) -> None:
    with pytest.raises(LoraError, match=problem):
        read_peft_lora(write_peft(tmp_path / "a", **config))


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    folder = write_peft(tmp_path / "a")
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(LoraError, match="are a pickle"):
        read_peft_lora(folder)


def test_whole_matrices_beside_the_pairs_are_refused(tmp_path: Path) -> None:
    folder = write_peft(tmp_path / "a", {**PEFT_SHAPES, "base_model.model.lm_head.weight": (TOKENS, WIDTH)})
    with pytest.raises(LoraError, match=r"'base_model.model.lm_head.weight' is no part of a LoRA pair"):
        read_peft_lora(folder)


@given(st.dictionaries(st.text(max_size=30), st.none() | st.integers() | st.text(max_size=5) | st.booleans()))
def test_no_configuration_does_more_than_be_refused(tmp_path_factory: pytest.TempPathFactory, config: Any) -> None:
    folder = tmp_path_factory.mktemp("peft")
    write_safetensors(folder / "adapter_model.safetensors", PEFT_SHAPES)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    with contextlib.suppress(LoraError):
        assert read_peft_lora(folder).rank == RANK


def test_the_same_adapter_again_changes_nothing_and_another_needs_another_name(
    store: ModelStore, tmp_path: Path
) -> None:
    first = store.adapters.add(write_lora(tmp_path / "a.gguf"), "tone", False, 1.0)
    assert store.adapters.add(tmp_path / "a.gguf", "Tone", False, 2.0).digest == first.digest
    with pytest.raises(NameTaken, match="another adapter is called 'tone'"):
        store.adapters.add(write_lora(tmp_path / "b.gguf", pair("blk.0.ffn_up.weight")), "tone", False, 3.0)
    for name in ("a/b", "a:b", "../x", "a+b", ""):
        with pytest.raises(InvalidModelName):
            store.adapters.add(tmp_path / "a.gguf", name, False, 3.0)


def test_removing_an_adapter_deletes_its_copy_alone(store: ModelStore, root: Path, tmp_path: Path) -> None:
    adopted = write_lora(tmp_path / "a.gguf")
    store.adapters.add(adopted, "adopted", False, 1.0)
    store.adapters.add(write_peft(tmp_path / "peft"), "copied", True, 1.0)
    assert store.adapters.remove("adopted") == 0
    assert adopted.exists()
    assert len(blobs(root)) == 2
    assert store.adapters.remove("copied") > 0
    assert blobs(root) == []
    assert not any((root / "models" / "folders").iterdir())
    with pytest.raises(UnknownModel, match="no adapter is called"):
        store.adapters.remove("copied")


def test_garbage_collection_leaves_the_files_of_adapters(store: ModelStore, root: Path, tmp_path: Path) -> None:
    adapter = store.adapters.add(write_peft(tmp_path / "peft"), "copied", True, 1.0)
    assert store.collect_garbage(GarbagePolicy(keep_versions=0), 1e9, is_dry_run=False).items == ()
    assert read_peft_lora(store.adapters.opened_path(adapter)).rank == RANK
    assert store.check_integrity() == []


def test_an_adapter_is_no_model(store: ModelStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="LoRA adapter"):
        add(store, write_lora(tmp_path / "a.gguf"))
