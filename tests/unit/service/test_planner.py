"""What the daemon knows when it plans a model."""

from pathlib import Path

import pytest

from appliance.core.events import ModelStateChanged
from appliance.core.plan import BackendDescriptor
from appliance.errors import BackendError, DoesNotFit, ModelNotFound
from appliance.service.planner import Planner
from appliance.settings import Settings
from models.embedded import EMBEDDED_PATH
from models.manifest import ModelManifest
from models.store import ModelStore
from tests.fakes import machine

GIB = 2**30
SNAPSHOT = machine(usable_cores=4, memory_bytes=4 * GIB)


GGUF = BackendDescriptor(
    name="llama_cpp",
    state="ready",
    message="found",
    mend=None,
    formats=frozenset({"gguf"}),
    devices=("cpu",),
    kv_types=("f16",),
    version="1",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(EMBEDDED_PATH.read_bytes())
    return path


@pytest.fixture
def store(tmp_path: Path, file: Path) -> ModelStore:
    store = ModelStore(tmp_path)
    for _ in store.add(file, "tiny", False, 1.0):
        pass
    return store


@pytest.fixture
def manifest(store: ModelStore) -> ModelManifest:
    manifest = store.get("tiny")
    assert manifest is not None
    return manifest


def planner(store: ModelStore, available_bytes: int = 3 * GIB) -> Planner:
    return Planner(store, SNAPSHOT, (GGUF,), Settings(), lambda: available_bytes)


def test_a_plan_names_the_file_the_backend_and_its_reasons(store: ModelStore, manifest: ModelManifest) -> None:
    plan = planner(store).plan("tiny", manifest, None)
    assert (plan.model, plan.backend, plan.artefact.digest) == ("tiny", GGUF.name, manifest.digest)
    assert plan.context_tokens == manifest.details.context_length_tokens
    assert plan.reasons


def test_a_file_that_was_written_to_is_not_loaded(store: ModelStore, manifest: ModelManifest, file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"more")
    with pytest.raises(BackendError, match="add it again"):
        planner(store).plan("tiny", manifest, None)


def test_memory_of_loaded_models_counts_as_free_since_they_can_be_evicted(
    store: ModelStore, manifest: ModelManifest
) -> None:
    full = planner(store, available_bytes=0)
    with pytest.raises(DoesNotFit):
        full.plan("tiny", manifest, None)
    full.observe(ModelStateChanged(model="other", state="ready", reason="", memory_bytes=3 * GIB))
    assert full.plan("tiny", manifest, None).context_tokens
    full.observe(ModelStateChanged(model="other", state="stopped", reason=""))
    with pytest.raises(DoesNotFit):
        full.plan("tiny", manifest, None)


def test_a_variant_is_the_files_own_or_a_backends_name(store: ModelStore, manifest: ModelManifest) -> None:
    variants = (manifest.details.quantization, GGUF.name)
    assert [planner(store).plan("tiny", manifest, variant).backend for variant in variants] == [GGUF.name] * 2
    with pytest.raises(ModelNotFound, match="no variant"):
        planner(store).plan("tiny", manifest, "Q1_X")


def test_a_plan_says_where_what_is_made_of_a_model_lies(store: ModelStore, manifest: ModelManifest) -> None:
    artefact = planner(store).plan("tiny", manifest, None).artefact
    assert artefact.path == manifest.files[0].path
    assert Path(artefact.compiled_path) == store.compiled_path(manifest)
