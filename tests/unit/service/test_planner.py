"""What the daemon knows when it plans a model."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from appliance.backends.tvm.folders import WEIGHTS_FILE, folder_in
from appliance.caches.kv_disk import KvDisk
from appliance.caches.kv_folder import KvFolder
from appliance.core.events import ModelCalibrated, ModelStateChanged
from appliance.core.hardware import Instruction
from appliance.core.measurement import Measurement
from appliance.core.plan import BackendDescriptor, Calibration, LoadPlan
from appliance.errors import BackendError, DoesNotFit, InvalidRequest, ModelNotFound
from appliance.service.calibrations import Calibrations
from appliance.service.planner import Planner
from appliance.settings import EngineSettings, KvSettings, ModelsSettings, Settings
from models.embedded import EMBEDDED_PATH
from models.manifest import ModelManifest
from models.store.store import ModelStore
from tests.fakes import machine
from tests.unit.backends.ways import measurement

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


def planner(
    store: ModelStore,
    available_bytes: int = 3 * GIB,
    descriptor: BackendDescriptor = GGUF,
    kv_disk: KvDisk | None = None,
) -> Planner:
    return Planner(store, SNAPSHOT, (descriptor,), Settings(), lambda: available_bytes, kv_disk)


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


def test_what_a_model_computed_has_a_folder_that_its_next_worker_finds_again(
    tmp_path: Path, store: ModelStore, manifest: ModelManifest
) -> None:
    disk = KvDisk(tmp_path, KvSettings(disk_bytes=1000), ())
    tiers = planner(store, kv_disk=disk).plan("tiny", manifest, None).snapshots
    assert Path(tiers.folder).parent == tmp_path / "kv"
    assert (tiers.disk_bytes, tiers.max_written_bytes_per_day) == (1000, None)
    again = planner(store, 2 * GIB, kv_disk=disk)
    assert again.plan("tiny", manifest, GGUF.name).snapshots.folder == tiers.folder
    assert Path(tiers.folder).name in again.fingerprints()
    newer = planner(store, descriptor=replace(GGUF, version="2"), kv_disk=disk)
    assert newer.plan("tiny", manifest, None).snapshots.folder != tiers.folder
    assert Path(tiers.folder).name not in newer.fingerprints()


def test_a_model_gets_the_disk_space_that_other_loaded_models_leave(
    tmp_path: Path, store: ModelStore, manifest: ModelManifest
) -> None:
    some = planner(store, kv_disk=KvDisk(tmp_path, KvSettings(disk_bytes=1000), ()))
    guide = store.list()[0]
    first = some.plan("guide", replace(guide, digest="sha256:other"), None).snapshots
    folder = KvFolder(Path(first.folder))
    num_bytes = folder.write(b"k" * 16, b"r" * 16, 0, np.zeros(4, np.int32), "layout", [memoryview(b"bytes")])
    folder.close()
    assert some.plan("tiny", manifest, None).snapshots.disk_bytes == 1000
    some.observe(ModelStateChanged(model="guide", state="ready", reason="", memory_bytes=1))
    assert some.plan("tiny", manifest, None).snapshots.disk_bytes == 1000 - num_bytes
    some.observe(ModelStateChanged(model="guide", state="stopped", reason=""))
    assert some.plan("tiny", manifest, None).snapshots.disk_bytes == 1000


def test_a_model_that_embeds_has_no_folder(tmp_path: Path, store: ModelStore, manifest: ModelManifest) -> None:
    some = planner(store, kv_disk=KvDisk(tmp_path, KvSettings(), ()))
    encoder = replace(manifest, details=replace(manifest.details, is_embedding=True))
    assert some.plan("tiny", encoder, None).snapshots.folder == ""


def test_threads_are_tried_once_unless_the_operator_set_them(
    tmp_path: Path, store: ModelStore, manifest: ModelManifest
) -> None:
    calibrations = Calibrations(tmp_path / "calibration", SNAPSHOT.processor, {GGUF.name: GGUF.version})

    def plan(settings: Settings) -> LoadPlan:
        planner = Planner(store, SNAPSHOT, (GGUF,), settings, lambda: 3 * GIB, calibrations=calibrations)
        return planner.plan("tiny", manifest, None)

    assert plan(Settings()).thread_candidates == (4, 3, 2, 1)
    measured = Calibration(threads_decode=2, threads_prefill=3)
    calibrations.observe(ModelCalibrated(model="tiny", calibration=measured))
    assert plan(Settings()).threads_decode == 2
    assert plan(Settings()).thread_candidates == ()
    planner = Planner(store, SNAPSHOT, (GGUF,), Settings(), lambda: 3 * GIB, calibrations=calibrations)
    assert planner.explain("tiny", manifest, None).threads_decode == 2
    operators = plan(Settings(engine=EngineSettings(threads=4)))
    assert (operators.threads_decode, operators.threads_prefill, operators.thread_candidates) == (4, 4, ())


def test_a_model_that_was_compiled_runs_there_where_that_is_faster_unless_somebody_says_otherwise(
    store: ModelStore, manifest: ModelManifest
) -> None:
    snapshot = machine(instructions=frozenset({Instruction.AVX512_VNNI}))
    compiled = replace(GGUF, name="tvm")

    def backend(settings: Settings | None = None, variant: str | None = None) -> str:
        planner = Planner(store, snapshot, (GGUF, compiled), settings or Settings(), lambda: 3 * GIB)
        return planner.plan("tiny", manifest, variant).backend

    assert backend() == "llama_cpp"
    assert backend(variant="tvm") == "tvm"
    folder = folder_in(store.compiled_path(manifest), "avx512_vnni")
    folder.mkdir(parents=True)
    (folder / WEIGHTS_FILE).touch()
    assert backend() == "tvm"
    assert backend(variant="llama_cpp") == "llama_cpp"
    assert backend(Settings(engine=EngineSettings(kernels="off"))) == "llama_cpp"
    assert backend(Settings(engine=EngineSettings(backend="llama_cpp"))) == "llama_cpp"
    assert backend(Settings(models=ModelsSettings(variants={"tiny": "llama_cpp"}))) == "llama_cpp"
    assert backend(Settings(models=ModelsSettings(variants={"tiny": "llama_cpp"})), "tvm") == "tvm"
    assert backend(Settings(models=ModelsSettings(variants={"other": "llama_cpp", "tiny": "auto"}))) == "tvm"


def test_a_measurement_decides_the_next_plan_and_explains_it(store: ModelStore, manifest: ModelManifest) -> None:
    found: dict[str, Measurement] = {}
    snapshot = machine(instructions=frozenset({Instruction.AVX512_VNNI}))
    folder = folder_in(store.compiled_path(manifest), "avx512_vnni")
    folder.mkdir(parents=True)
    (folder / WEIGHTS_FILE).touch()
    planner = Planner(
        store,
        snapshot,
        (GGUF, replace(GGUF, name="tvm")),
        Settings(),
        lambda: 3 * GIB,
        measured=lambda digest, backend, kv_type: found.get(backend),
    )
    assert planner.explain("tiny", manifest, None).chosen_by == "prediction"
    found |= {"llama_cpp": measurement(200.0, 200.0, 200.0), "tvm": measurement(100.0, 100.0, 100.0)}
    assert planner.plan("tiny", manifest, None).backend == "llama_cpp"
    explanation = planner.explain("tiny", manifest, None)
    assert (explanation.chosen_by, explanation.candidates[0].is_measured) == ("measurement", True)


def test_what_is_loaded_stays_where_another_is_faster_by_noise_alone(
    store: ModelStore, manifest: ModelManifest
) -> None:
    found = {"llama_cpp": measurement(104.0, 104.0, 104.0), "other": measurement(100.0, 100.0, 100.0)}
    slow = {**found, "llama_cpp": measurement(50.0, 50.0, 50.0)}
    known = dict(slow)
    planner = Planner(
        store,
        SNAPSHOT,
        (GGUF, replace(GGUF, name="echo")),
        Settings(),
        lambda: 3 * GIB,
        measured=lambda digest, backend, kv_type: known.get("other" if backend == "echo" else backend),
    )
    assert planner.plan("tiny", manifest, None).backend == "echo"
    planner.observe(ModelStateChanged(model="tiny", state="ready", reason="", memory_bytes=1))
    known.update(found)
    assert planner.plan("tiny", manifest, None).backend == "echo"
    known["llama_cpp"] = measurement(110.0, 110.0, 110.0)
    assert planner.plan("tiny", manifest, None).backend == "llama_cpp"


TAKES = replace(GGUF, max_adapters_per_step=2)
PLAIN = replace(GGUF, name="echo")
"""It takes no adapters."""
ADAPTED = "tiny@llama_cpp-Q8_0"


def placing(store: ModelStore, *descriptors: BackendDescriptor, memory: Callable[[], int] = lambda: 3 * GIB) -> Planner:
    """Return a planner on a machine whose operator prefers the one without adapters."""
    return Planner(store, SNAPSHOT, descriptors, Settings(engine=EngineSettings(backend="echo")), memory)


def ready(model: str) -> ModelStateChanged:
    return ModelStateChanged(model=model, state="ready", reason="", memory_bytes=GIB)


def test_adapters_are_applied_to_the_model_as_it_runs_where_that_can_be(
    store: ModelStore, manifest: ModelManifest
) -> None:
    assert placing(store, TAKES).place("tiny", manifest, None, 2) == "tiny"


def test_a_model_that_runs_where_no_adapters_are_taken_is_loaded_once_more_for_them(
    store: ModelStore, manifest: ModelManifest
) -> None:
    planner = placing(store, TAKES, PLAIN)
    assert planner.plan("tiny", manifest, None).backend == "echo"
    assert planner.place("tiny", manifest, None, 1) == ADAPTED
    assert planner.plan(ADAPTED, manifest, ADAPTED.partition("@")[2]).backend == "llama_cpp"
    planner.observe(ready("tiny"))
    assert planner.place("tiny", manifest, None, 1) == ADAPTED


def test_what_is_loaded_and_takes_adapters_is_found_without_a_plan(store: ModelStore, manifest: ModelManifest) -> None:
    looks: list[int] = []

    def memory() -> int:
        looks.append(1)
        return 3 * GIB

    for name, descriptors in (("tiny", [TAKES]), (ADAPTED, [TAKES, PLAIN])):
        planner = placing(store, *descriptors, memory=memory)
        assert planner.place("tiny", manifest, None, 1) == name
        planner.plan(name, manifest, name.partition("@")[2] or None)
        planner.observe(ready(name))
        looks.clear()
        assert planner.place("tiny", manifest, None, 1) == name
        assert not looks


def test_adapters_that_nothing_here_applies_are_refused_with_the_reason(
    store: ModelStore, manifest: ModelManifest
) -> None:
    planner = placing(store, TAKES, PLAIN)
    for variant, num_adapters, reason in (("echo", 1, "echo takes no adapters"), (None, 3, "at most 2 adapters")):
        name = "tiny@echo" if variant else "tiny"
        with pytest.raises(InvalidRequest, match=reason):
            planner.place(name, manifest, variant, num_adapters)


def test_an_explanation_of_a_name_with_adapters_says_which_ways_take_none(
    store: ModelStore, manifest: ModelManifest
) -> None:
    candidates = placing(store, TAKES, PLAIN).explain("tiny+tone", manifest, None).candidates
    assert [(each.backend, each.is_chosen) for each in candidates] == [("llama_cpp", True), ("echo", False)]
    assert candidates[1].reason == "echo takes no adapters"
