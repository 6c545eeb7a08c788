"""Whether a model fits: the memory is the backend's own, the speed the memory's, the rest from the file itself."""

import dataclasses

import pytest
from msgspec.structs import replace

from appliance.backends.asked import Asked, Form, MachineNow
from appliance.backends.limits import DEFAULT_CONTEXT_TOKENS
from appliance.backends.select import select
from appliance.core.catalogue import Fit
from appliance.core.hardware import Bandwidth
from appliance.core.measurement import Measurement
from appliance.core.plan import Artefact
from appliance.hardware.probe import probe
from appliance.service.fit import Subject, fit, subject_of_entry, subject_of_installed
from appliance.settings import KvSettings, ModelsSettings, Settings
from models.catalogue.catalogue import Catalogue, built_in_entries
from models.embedded import EMBEDDED_PATH, embedded_manifest
from models.finding.facts import ModelFacts, read_facts
from models.manifest import ModelDetails
from tests.catalogues import GGUF
from tests.unit.backends.ways import measurement
from tests.unit.hardware.machines import tree_of

GIB = 2**30
SNAPSHOT = probe(tree_of("rtx-workstation"))
CATALOGUE = Catalogue(built_in_entries())


def machine(
    budget_bytes: int = 64 * GIB, settings: Settings | None = None, gb_per_s: float | None = 40.0
) -> MachineNow:
    bandwidth = None if gb_per_s is None else Bandwidth(read_bytes_per_s=gb_per_s * 1e9, num_threads=4)
    return MachineNow(SNAPSHOT, (GGUF,), settings or Settings(), budget_bytes, bandwidth)


def guide() -> Asked:
    manifest = embedded_manifest()
    artefact = Artefact(format="gguf", path=str(EMBEDDED_PATH), digest=manifest.digest)
    return Asked(model="guide", forms=(Form(model="guide", artefact=artefact, details=manifest.details),))


def of_catalogue(name: str) -> Subject:
    chosen = CATALOGUE.reference_for(name)
    return subject_of_entry(chosen.entry, chosen.entry.model.sources[0], chosen.quantization, chosen.reference)


def fit_guide(machine: MachineNow) -> Fit:
    manifest = embedded_manifest()
    return fit(subject_of_installed("guide", manifest, guide(), read_facts(manifest, EMBEDDED_PATH)), machine)


def test_an_installed_model_is_judged_by_its_own_file() -> None:
    found = fit_guide(machine())
    assert (found.is_installed, found.backend, found.licence) == (True, GGUF.name, "apache-2.0")
    assert (found.template, found.capabilities) == ("hermes", ("chat", "tools"))
    assert found.max_context_tokens == found.trained_context_tokens == 2048
    assert [at.context_tokens for at in found.contexts] == [2048]
    assert (found.name_note, found.notes) == (None, ())


def test_memory_is_what_the_plan_of_the_same_context_takes() -> None:
    subject = of_catalogue("qwen3-8b")
    for at in fit(subject, machine()).contexts:
        engine = replace(Settings().engine, context_tokens=at.context_tokens, kv_capacity_tokens=at.context_tokens)
        settings = Settings(engine=engine, kv=KvSettings(memory_bytes=0))
        plan = select(subject.asked, machine(200 * GIB, settings))
        assert (plan.context_tokens, plan.estimated_bytes) == (at.context_tokens, at.memory_bytes)


def test_contexts_end_at_what_the_model_was_trained_for() -> None:
    found = fit(of_catalogue("qwen3-8b"), machine())
    assert [at.context_tokens for at in found.contexts] == [2048, 8192, DEFAULT_CONTEXT_TOKENS, 40_960]
    assert all(at.is_fitting for at in found.contexts)


def test_the_largest_context_is_the_one_that_just_fits() -> None:
    needed = {at.context_tokens: at.memory_bytes for at in fit(of_catalogue("qwen3-8b"), machine()).contexts}
    found = fit(of_catalogue("qwen3-8b"), machine(needed[8192]))
    assert found.max_context_tokens == 8192
    assert [at.is_fitting for at in found.contexts] == [True, True, False, False]
    smaller = fit(of_catalogue("qwen3-8b"), machine(needed[8192] - 1)).max_context_tokens
    assert smaller is not None
    assert 8192 - 256 <= smaller < 8192


@pytest.mark.parametrize("budget_bytes", [GIB, 0, -GIB])
def test_what_does_not_fit_has_no_context(budget_bytes: int) -> None:
    found = fit(of_catalogue("qwen3-8b"), machine(budget_bytes))
    assert found.max_context_tokens is None
    assert not any(at.is_fitting for at in found.contexts)
    assert found.budget_bytes == max(0, budget_bytes)


def test_twice_the_bandwidth_writes_nearly_twice_as_fast() -> None:
    slow, fast = (fit(of_catalogue("qwen3-8b"), machine(gb_per_s=speed)).speed for speed in (20.0, 40.0))
    assert slow is not None
    assert fast is not None
    assert 1.9 < fast.decode_tokens_per_s / slow.decode_tokens_per_s < 2.0
    assert "predicted" in fast.basis
    assert "measured" in fast.basis


def test_what_was_measured_stands_beside_what_was_predicted() -> None:
    found = measurement(900.0, 90.0, 300.0)

    def measured(digest: str, backend: str, kv_type: str) -> Measurement | None:
        return found if (digest, backend, kv_type) == (embedded_manifest().digest, GGUF.name, "f16") else None

    both = fit_guide(dataclasses.replace(machine(), measured=measured))
    assert both.measured == found
    assert both.speed == fit_guide(machine()).speed
    assert fit_guide(machine()).measured is None


def test_an_assumed_bandwidth_is_said_to_be_one() -> None:
    speed = fit(of_catalogue("qwen3-8b"), machine(gb_per_s=None)).speed
    assert speed is not None
    assert "assumed; not measured" in speed.basis


def test_a_mixture_writes_at_the_speed_of_what_works_for_a_token() -> None:
    dense, mixture = (fit(of_catalogue(name), machine()).speed for name in ("qwen3-32b", "qwen3-30b-a3b"))
    assert dense is not None
    assert mixture is not None
    assert mixture.decode_tokens_per_s > 5 * dense.decode_tokens_per_s


def test_an_estimate_says_what_it_rests_on() -> None:
    known, unknown = (fit(of_catalogue(name), machine()).notes for name in ("qwen3-8b", "gpt-oss-20b"))
    assert [note.partition(":")[0] for note in known] == ["the size of its weights is counted"]
    assert unknown[0].startswith("its shape is not known here")


def test_a_model_that_embeds_has_no_speed_of_writing() -> None:
    found = fit(of_catalogue("bge-m3"), machine())
    assert found.speed is None
    assert found.capabilities == ("embedding",)
    assert found.max_context_tokens == 8192


def test_a_format_that_nothing_runs_is_said() -> None:
    found = fit(of_catalogue("all-minilm-l6-v2"), machine())
    assert (found.backend, found.contexts, found.speed, found.max_context_tokens) == (None, (), None, None)
    assert "all-minilm-l6-v2" in found.notes[0]
    assert "onnx" in found.notes[0]


def test_a_licence_that_is_not_allowed_is_said_with_the_reason() -> None:
    settings = Settings(models=ModelsSettings(allowed_licences=("open",)))
    found = fit(of_catalogue("llama3.2-3b"), machine(settings=settings))
    assert not found.is_licence_allowed
    assert "models.allowed_licences" in str(found.licence_note)
    assert "Built with Llama" in str(fit(of_catalogue("llama3.2-3b"), machine()).licence_note)


@pytest.mark.parametrize(
    ("details", "facts", "capabilities"),
    [
        (ModelDetails(), ModelFacts({}, None, False), ()),
        (
            ModelDetails(has_chat_template=True),
            ModelFacts({}, "{% if tools %}<think>", True),
            ("chat", "tools", "reasoning", "fim"),
        ),
        (ModelDetails(architecture="qwen2vl"), ModelFacts({}, None, False), ("vision",)),
        (ModelDetails(), ModelFacts({"gemma3.vision.block_count": 27}, None, False), ("vision",)),
        (ModelDetails(num_labels=1), ModelFacts({}, None, False), ("rerank",)),
        (ModelDetails(num_labels=3), ModelFacts({}, None, False), ()),
        (ModelDetails(is_embedding=True), ModelFacts({}, "{% if tools %}", False), ("embedding",)),
    ],
)
def test_what_a_model_can_do_is_read_from_its_file(
    details: ModelDetails, facts: ModelFacts, capabilities: tuple[str, ...]
) -> None:
    manifest = replace(embedded_manifest(), details=details)
    assert subject_of_installed("x", manifest, guide(), facts).capabilities == capabilities
