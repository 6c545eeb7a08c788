"""Which way of running a model is taken, on every machine that we know, and what is said of it and of the others."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.backends.asked import Form
from appliance.backends.limits import USEFUL_CONTEXT_TOKENS, least_bytes
from appliance.backends.options import options
from appliance.backends.registry import descriptors
from appliance.backends.select import explain, select
from appliance.backends.tvm.folders import WEIGHTS_FILE, folder_in
from appliance.backends.tvm.limits import FASTER_ON, instruction_set_for
from appliance.core.hardware import HardwareSnapshot, Instruction
from appliance.core.measurement import Candidate, Explanation, Measurement
from appliance.errors import BackendError, DoesNotFit, ModelNotFound
from appliance.hardware.probe import probe
from appliance.settings import EngineSettings, Settings
from tests.fakes import machine
from tests.unit.backends.ways import GIB, MINILM, QWEN, asked, form, measurement, now
from tests.unit.hardware.machines import NAMES, tree_of

LLAMA, TVM = ("sha256:gguf", "llama_cpp"), ("sha256:gguf", "tvm")
VNNI = machine(usable_cores=2, instructions=frozenset({Instruction.AVX512_VNNI, Instruction.AVX512, Instruction.AVX2}))


def compiled(folder: Path, snapshot: HardwareSnapshot) -> Form:
    """Return the GGUF file with what our kernels need of it on that machine, where they know its processor."""
    instruction_set = instruction_set_for(snapshot.processor.instructions)
    if instruction_set is not None:
        made = folder_in(folder, instruction_set)
        made.mkdir(parents=True)
        (made / WEIGHTS_FILE).touch()
    return form(compiled_path=str(folder))


def of(found: Explanation, variant: str) -> Candidate:
    return next(each for each in found.candidates if each.variant == variant)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_measured_to_be_faster_is_taken_on_every_machine(name: str, tmp_path: Path) -> None:
    snapshot = probe(tree_of(name))
    way = asked(compiled(tmp_path, snapshot))
    has_kernels = instruction_set_for(snapshot.processor.instructions) is not None

    unmeasured = select(way, now(snapshot))
    is_known = instruction_set_for(snapshot.processor.instructions) in FASTER_ON
    assert unmeasured.backend == ("tvm" if is_known else "llama_cpp")

    for ours, theirs, winner in ((100.0, 200.0, "llama_cpp"), (200.0, 100.0, "tvm")):
        found = {TVM: measurement(ours, ours, ours), LLAMA: measurement(theirs, theirs, theirs)}
        plan = select(way, now(snapshot, measured=found))
        assert plan.backend == (winner if has_kernels else "llama_cpp")
        if has_kernels:
            assert "reads prompts 2.0 times and writes 2.0 times (8 at once: 2.0) as fast as" in plan.reasons[0]
            assert plan.reasons[0].endswith("measured here on 2026-11-02")
            assert plan.expected == measurement(200.0, 200.0, 200.0).speed


@pytest.mark.parametrize("name", NAMES)
def test_every_machine_explains_its_choice(name: str, tmp_path: Path) -> None:
    snapshot = probe(tree_of(name))
    found = explain(asked(compiled(tmp_path, snapshot)), now(snapshot))
    first, *others = found.candidates
    assert (found.problem, first.is_chosen) == (None, True)
    assert not any(each.is_chosen for each in others)
    assert all(each.reason for each in found.candidates)
    if instruction_set_for(snapshot.processor.instructions) is None:
        assert found.chosen_by == "only one"
        assert of(found, "tvm-Q4_0").reason == "our kernels are not written for this processor"
    else:
        assert found.chosen_by == "prediction"
        assert first.time_ratio == 1.0
        assert others[0].time_ratio is not None
        assert others[0].time_ratio > 1.0


def test_predictions_are_corrected_by_what_was_found_of_others(tmp_path: Path) -> None:
    way = asked(compiled(tmp_path, VNNI))
    predicted = of(explain(way, now(VNNI)), "llama_cpp-Q4_0").speed
    assert predicted is not None
    one, eight = predicted.decode_1_tokens_per_s, predicted.decode_8_tokens_per_s
    assert one is not None
    assert eight is not None
    slow = measurement(predicted.prefill[0].tokens_per_s / 4, one / 4, eight / 4)
    found = explain(way, now(VNNI, measured={LLAMA: slow}))
    assert (found.chosen_by, found.candidates[0].variant) == ("prediction", "tvm-Q4_0")
    assert "llama_cpp as measured here on 2026-11-02, the other as predicted" in found.reasons[0]
    before, after = of(explain(way, now(VNNI)), "tvm-Q4_0").speed, of(found, "tvm-Q4_0").speed
    assert before is not None
    assert after is not None
    assert after.decode_1_tokens_per_s == pytest.approx((before.decode_1_tokens_per_s or 0) / 4)
    assert after.prefill[0].tokens_per_s == pytest.approx(before.prefill[0].tokens_per_s / 4)


def test_what_serves_stays_where_another_is_faster_by_noise_alone(tmp_path: Path) -> None:
    found = {LLAMA: measurement(100.0, 100.0, 100.0), TVM: measurement(104.0, 104.0, 104.0)}
    files = compiled(tmp_path, VNNI)
    for serving in (LLAMA, TVM):
        plan = select(asked(files, serving=serving), now(VNNI, measured=found))
        assert plan.backend == serving[1]
        assert "is loaded now, and is as fast as" in plan.reasons[0]
    larger = select(asked(files, serving=LLAMA), now(VNNI, measured={**found, TVM: measurement(106.0, 106.0, 106.0)}))
    assert larger.backend == "tvm"


def test_of_two_that_are_as_fast_the_smaller_is_taken(tmp_path: Path) -> None:
    same = {LLAMA: measurement(100.0, 100.0, 100.0), TVM: measurement(100.0, 100.0, 100.0)}
    files = compiled(tmp_path, VNNI)
    smaller = select(asked(files), now(VNNI, measured=same))
    greedy = measurement(100.0, 100.0, 100.0, memory_bytes=3 * GIB)
    other = "tvm" if smaller.backend == "llama_cpp" else "llama_cpp"
    now_other = select(asked(files), now(VNNI, measured={**same, ("sha256:gguf", smaller.backend): greedy}))
    assert now_other.backend == other
    assert "needs less memory" in now_other.reasons[0]


def test_memory_that_was_found_to_be_missing_is_counted_from_then_on() -> None:
    before = select(asked(form()), now())
    after = select(asked(form()), now(measured={LLAMA: measurement(1.0, 1.0, 1.0, memory_bytes=3 * GIB)}))
    less = select(asked(form()), now(measured={LLAMA: measurement(1.0, 1.0, 1.0, memory_bytes=GIB // 2)}))
    assert after.estimated_bytes - before.estimated_bytes == 2 * GIB
    assert less.estimated_bytes == before.estimated_bytes


def test_each_of_the_three_workloads_counts_the_same(tmp_path: Path) -> None:
    files = compiled(tmp_path, VNNI)
    base = measurement(100.0, 100.0, 100.0)
    for reads, one, eight, winner in (
        (300.0, 100.0, 60.0, "tvm"),
        (60.0, 300.0, 60.0, "llama_cpp"),
        (100.0, 100.0, 200.0, "tvm"),
    ):
        found = {LLAMA: base, TVM: measurement(reads, one, eight)}
        assert select(asked(files), now(VNNI, measured=found)).backend == winner, (reads, one, eight)


def quantized(loss_ratio: float | None, quantization: str = "Q8_0", weights_bytes: int = GIB // 2) -> Form:
    details = replace(QWEN, quantization=quantization, weights_bytes=weights_bytes)
    return form(details, model="qwen3-small", digest="sha256:small", loss_ratio=loss_ratio)


FLOATS = form(replace(QWEN, quantization="F16", weights_bytes=GIB))
FAST_SMALL = {("sha256:small", "llama_cpp"): measurement(200.0, 200.0, 200.0), LLAMA: measurement(100.0, 100.0, 100.0)}


@pytest.mark.parametrize(
    ("loss_ratio", "allowed", "is_taken", "why"),
    [
        (0.005, 0.01, True, ""),
        (0.02, 0.01, False, "it loses 2.0%, and 1.0% may be lost (engine.max_loss_ratio)"),
        (0.02, 0.05, True, ""),
        (None, 0.05, False, "what it lost was not measured"),
    ],
)
def test_a_smaller_form_stands_for_the_model_only_where_it_lost_little(
    loss_ratio: float | None, allowed: float, is_taken: bool, why: str
) -> None:
    settings = Settings(engine=EngineSettings(max_loss_ratio=allowed))
    way = asked(FLOATS, quantized(loss_ratio))
    plan = select(way, now(measured=FAST_SMALL, settings=settings))
    assert plan.artefact.digest == ("sha256:small" if is_taken else "sha256:gguf")
    if is_taken:
        assert f"the files of qwen3-small, which were made of this model: it lost {loss_ratio:.1%}" in plan.reasons
        assert "llama_cpp-Q8_0 reads" in plan.reasons[0]
    else:
        assert of(explain(way, now(measured=FAST_SMALL, settings=settings)), "llama_cpp-Q8_0").reason == why


@pytest.mark.parametrize(
    ("variant", "backend", "digest"),
    [
        ("llama_cpp", "llama_cpp", "sha256:gguf"),
        ("tvm", "tvm", "sha256:gguf"),
        ("Q8_0", "llama_cpp", "sha256:small"),
        ("q8", "llama_cpp", "sha256:small"),
        ("llama_cpp-Q8_0", "llama_cpp", "sha256:small"),
        ("tvm-q4", "tvm", "sha256:gguf"),
        ("Q4_0", "tvm", "sha256:gguf"),
    ],
)
def test_a_name_forces_a_variant(variant: str, backend: str, digest: str, tmp_path: Path) -> None:
    files = (compiled(tmp_path, VNNI), quantized(0.3))
    for is_set in (False, True):
        way = asked(*files, variant=variant, is_set=is_set)
        plan = select(way, now(VNNI))
        assert (plan.backend, plan.artefact.digest) == (backend, digest)
        assert plan.reasons[0].endswith("set by models.variants" if is_set else f"the name asks for {variant}")
        assert explain(way, now(VNNI)).chosen_by == ("setting" if is_set else "name")


def test_a_name_that_forces_a_backend_compiles_if_it_has_to_but_loses_nothing_silently() -> None:
    plan = select(asked(form(), quantized(0.3), variant="tvm"), now(VNNI))
    assert (plan.backend, plan.artefact.digest) == ("tvm", "sha256:gguf")


def test_an_unknown_variant_is_refused_with_those_that_there_are() -> None:
    for raises in (select, explain):
        with pytest.raises(ModelNotFound, match=r"no variant 'Q1_X'.*there are: llama_cpp-Q4_0, tvm-Q4_0"):
            raises(asked(variant="Q1_X"), now(VNNI))


def test_a_backend_that_does_not_read_the_file_is_said_to_do_so() -> None:
    with pytest.raises(BackendError, match="'qwen3' is a gguf file, which onnx does not run"):
        select(asked(variant="onnx"), now(VNNI))


def test_a_backend_that_is_set_for_all_models_is_taken_where_it_runs_them(tmp_path: Path) -> None:
    settings = Settings(engine=EngineSettings(backend="llama_cpp"))
    plan = select(asked(compiled(tmp_path, VNNI)), now(VNNI, settings=settings))
    assert (plan.backend, plan.reasons[0]) == ("llama_cpp", "llama_cpp: set by engine.backend")
    found = explain(asked(form(compiled_path=str(tmp_path))), now(VNNI, settings=settings))
    assert (found.chosen_by, of(found, "tvm-Q4_0").reason) == ("setting", "engine.backend is llama_cpp")
    elsewhere = Settings(engine=EngineSettings(backend="onnx"))
    other = select(asked(form()), now(settings=elsewhere))
    assert other.backend == "llama_cpp"
    assert "engine.backend is onnx, which does not run this model" in other.reasons


def test_what_could_be_compiled_is_shown_with_its_gain_and_the_command() -> None:
    found = explain(asked(form()), now(VNNI))
    assert found.candidates[0].variant == "llama_cpp-Q4_0"
    missing = of(found, "tvm-Q4_0")
    assert (missing.is_ready, missing.mend) == (False, "appliance kernels compile qwen3")
    assert missing.time_ratio is not None
    assert missing.time_ratio < 0.7
    gain = f"then it would take {missing.time_ratio:.2f} times as long, as predicted"
    assert missing.reason == f"it is not compiled for avx512_vnni yet; {gain}"


def test_weights_that_would_be_quantized_anew_are_called_so() -> None:
    way = asked(form(replace(QWEN, quantization="Q4_K_M")))
    assert [each.variant for each in explain(way, now(VNNI)).candidates] == ["llama_cpp-Q4_K_M", "tvm-q8"]


def test_what_is_compiled_can_be_switched_off(tmp_path: Path) -> None:
    settings = Settings(engine=EngineSettings(kernels="off"))
    files = compiled(tmp_path, VNNI)
    found = explain(asked(files), now(VNNI, settings=settings))
    assert (found.candidates[0].backend, of(found, "tvm-Q4_0").reason) == ("llama_cpp", "engine.kernels is off")
    assert select(asked(files, variant="tvm"), now(VNNI, settings=settings)).backend == "tvm"


def test_a_backend_that_is_missing_is_passed_over_and_named_with_what_mends_it(tmp_path: Path) -> None:
    without = [
        replace(each, state="unavailable", message="not installed", mend="install it") if each.name == "tvm" else each
        for each in descriptors(VNNI)
    ]
    found = explain(asked(compiled(tmp_path, VNNI)), now(VNNI, backends=without))
    assert (found.candidates[0].backend, found.chosen_by) == ("llama_cpp", "only one")
    missing = of(found, "tvm-Q4_0")
    assert (missing.is_ready, missing.reason, missing.mend) == (False, "not installed", "install it")
    with pytest.raises(BackendError, match="needs the backend tvm: not installed; mend it with: install it"):
        select(asked(form(), variant="tvm"), now(VNNI, backends=without))


def test_where_nothing_runs_a_model_the_explanation_says_it() -> None:
    without = [replace(each, state="unavailable", message="not installed") for each in descriptors(VNNI)]
    found = explain(asked(form()), now(VNNI, backends=without))
    assert (found.chosen_by, [each.is_ready for each in found.candidates]) == (None, [False, False])
    assert "needs the backend llama_cpp: not installed" in str(found.problem)


def test_the_fastest_that_fits_is_taken() -> None:
    large = form(replace(QWEN, quantization="F16", weights_bytes=4 * GIB), digest="sha256:large")
    small = quantized(0.001)
    found = {
        ("sha256:large", "llama_cpp"): measurement(200.0, 200.0, 200.0),
        ("sha256:small", "llama_cpp"): measurement(100.0, 100.0, 100.0),
    }
    way = asked(large, small)
    assert select(way, now(measured=found, budget_bytes=8 * GIB)).artefact.digest == "sha256:large"
    tight = explain(way, now(measured=found, budget_bytes=2 * GIB))
    assert tight.candidates[0].model == "qwen3-small"
    assert "all that there is room for" in tight.reasons[0]
    assert of(tight, "llama_cpp-F16").reason.startswith("needs 4.")
    with pytest.raises(DoesNotFit, match="'qwen3' needs"):
        select(way, now(measured=found, budget_bytes=GIB // 8))
    nothing = explain(way, now(measured=found, budget_bytes=GIB // 8))
    assert (nothing.chosen_by, any(each.is_chosen for each in nothing.candidates)) == (None, False)
    assert "may be used; try a smaller quantization" in str(nothing.problem)


def test_a_way_that_holds_a_context_of_use_comes_before_a_faster_one_that_does_not() -> None:
    large = form(replace(QWEN, quantization="F16", weights_bytes=GIB), digest="sha256:large")
    small = quantized(0.001, weights_bytes=GIB // 4)
    found = {
        ("sha256:large", "llama_cpp"): measurement(200.0, 200.0, 200.0),
        ("sha256:small", "llama_cpp"): measurement(100.0, 100.0, 100.0),
    }
    need = options(asked(large), now())[0].need
    for tokens, taken in ((USEFUL_CONTEXT_TOKENS, "sha256:large"), (2048, "sha256:small")):
        machine_now = now(measured=found, budget_bytes=least_bytes(need, tokens))
        assert select(asked(large), machine_now).context_tokens == tokens
        assert select(asked(large, small), machine_now).artefact.digest == taken


def encoder(quantization: str, digest: str, loss_ratio: float | None = 0.0, num_labels: int | None = None) -> Form:
    details = replace(MINILM, quantization=quantization, num_labels=num_labels)
    return form(details, model=digest, format_="onnx", digest=digest, loss_ratio=loss_ratio)


def test_models_that_embed_are_compared_by_how_fast_they_read() -> None:
    way = asked(encoder("fp32", "sha256:floats"), encoder("int8", "sha256:int8"))

    def taken(floats: Measurement, int8: Measurement) -> Explanation:
        found = {("sha256:floats", "onnx"): floats, ("sha256:int8", "onnx"): int8}
        return explain(way, now(measured=found))

    assert taken(measurement(300.0), measurement(100.0)).candidates[0].variant == "onnx-fp32"
    chosen = taken(measurement(100.0), measurement(200.0))
    assert (chosen.candidates[0].variant, chosen.chosen_by, chosen.task) == ("onnx-int8", "measurement", "embed")
    assert "onnx-int8 reads prompts 2.0 times as fast as onnx-fp32, measured here on 2026-11-02" in chosen.reasons[0]


def test_vectors_stay_comparable_whatever_is_faster() -> None:
    way = asked(encoder("fp32", "sha256:floats"), encoder("int8", "sha256:int8", 0.002))
    found = {("sha256:floats", "onnx"): measurement(100.0), ("sha256:int8", "onnx"): measurement(200.0)}
    explained = explain(way, now(measured=found))
    assert explained.candidates[0].variant == "onnx-fp32"
    assert "vectors that are kept would no longer match" in of(explained, "onnx-int8").reason


def test_nothing_is_given_up_for_the_sake_of_a_prediction() -> None:
    judge, smaller = encoder("fp32", "sha256:floats", 0.0, 1), encoder("int8", "sha256:int8", 0.002, 1)
    way = asked(judge, smaller)
    found = explain(way, now())
    assert (found.chosen_by, found.candidates[0].variant) == ("prediction", "onnx-fp32")
    assert found.reasons[0].startswith("onnx-fp32 loses nothing, and onnx-int8 has to be measured before anything is")
    assert found.reasons[0].endswith("onnx-int8 reads prompts 1.2 times as fast as onnx-fp32, as predicted")
    half = explain(way, now(measured={("sha256:floats", "onnx"): measurement(100.0)}))
    assert half.reasons[0].endswith("onnx-fp32 as measured here on 2026-11-02, the other as predicted")
    assert of(found, "onnx-int8").reason.endswith("since it loses 0.2%, it has to be measured first")
    lossless = asked(encoder("fp32", "sha256:floats"), encoder("int8", "sha256:int8", 0.0))
    assert explain(lossless, now()).candidates[0].variant == "onnx-int8"


def test_our_kernels_are_no_candidate_for_what_they_do_not_run() -> None:
    for details, why in (
        (replace(QWEN, is_embedding=True), "run models that write"),
        (replace(QWEN, architecture="gemma3"), "'gemma3' is not one that tvm runs"),
        (replace(QWEN, num_experts=8), "no mixtures of experts"),
    ):
        found = explain(asked(form(details)), now(VNNI))
        assert found.candidates[0].backend == "llama_cpp"
        assert why in next(each.reason for each in found.candidates if each.backend == "tvm")
