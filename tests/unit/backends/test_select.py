"""The plan that comes of a choice: context, room, limits, and what is said where nothing can be run."""

import pytest
from msgspec.structs import replace

from appliance.backends.asked import Form
from appliance.backends.registry import descriptors
from appliance.backends.select import select
from appliance.core.devices import DeviceTrial, EngineDevice
from appliance.core.plan import Artefact, BackendDescriptor, LoadPlan
from appliance.errors import BackendError, DoesNotFit
from appliance.settings import EngineSettings, KvSettings, Settings
from models.manifest import ModelDetails
from tests.unit.backends.ways import GGUF, GIB, HALF_B, MACHINE, SEVEN_B, asked, form, now


def choose(
    details: ModelDetails | None,
    available_gib: float,
    engine: EngineSettings | None = None,
    artefact: Artefact = GGUF,
    kv: KvSettings | None = None,
) -> LoadPlan:
    """Plan on a machine that leaves a fifth of its ten GiB free."""
    settings = Settings(engine=engine or EngineSettings(), kv=kv or KvSettings())
    machine = now(budget_bytes=int((available_gib - 2) * GIB), settings=settings)
    return select(asked(of_files(details, artefact)), machine)


def of_files(details: ModelDetails | None, artefact: Artefact) -> Form:
    return Form(model="qwen3", artefact=artefact, details=details)


@pytest.mark.parametrize(
    ("details", "available_gib", "settings", "context", "capacity", "why"),
    [
        (HALF_B, 10, EngineSettings(), 32_768, 32_768, "the default limit"),
        (replace(HALF_B, context_length_tokens=2048), 10, EngineSettings(), 2048, 32_768, "the model's own"),
        (replace(HALF_B, context_length_tokens=100), 10, EngineSettings(), 100, 2400, "the model's own"),
        (HALF_B, 10, EngineSettings(context_tokens=4096), 4096, 32_768, "set"),
        (HALF_B, 10, EngineSettings(context_tokens=200_000), 131_072, 131_072, "the model's own"),
        (HALF_B, 10, EngineSettings(context_tokens=4096, kv_capacity_tokens=8192), 4096, 8192, "set"),
        (HALF_B, 10, EngineSettings(context_tokens=4096, kv_capacity_tokens=512), 4096, 4096, "set"),
        (SEVEN_B, 7.5, EngineSettings(), 9728, 9728, "what the memory holds"),
        (SEVEN_B, 7.5, EngineSettings(context_tokens=1024), 1024, 4864, "set"),
    ],
)
def test_the_context_is_the_smallest_of_what_the_model_the_settings_and_the_memory_allow(
    details: ModelDetails, available_gib: float, settings: EngineSettings, context: int, capacity: int, why: str
) -> None:
    plan = choose(details, available_gib, settings)
    assert (plan.context_tokens, plan.kv_capacity_tokens) == (context, capacity)
    assert any(reason.endswith(f"{context} tokens: {why}") for reason in plan.reasons)
    assert plan.estimated_bytes <= (available_gib - 2) * GIB


def test_threads_are_the_usable_cores_unless_they_are_set() -> None:
    assert choose(HALF_B, 10).threads_decode == 3
    assert choose(HALF_B, 10, EngineSettings(threads=7)).threads_prefill == 7


def test_a_plan_carries_what_computes_it_and_what_happens_where_that_fails() -> None:
    plan = choose(HALF_B, 10, EngineSettings(provider="cuda", device_fallback="refuse"))
    assert (plan.provider, plan.device_fallback, plan.accelerators) == ("cuda", "refuse", MACHINE.accelerators)


def test_a_model_that_does_not_fit_is_refused_with_both_numbers_and_what_to_do() -> None:
    with pytest.raises(DoesNotFit, match=r"'qwen3' needs 4\.\d GiB .* 512 tokens, 4\.0 GiB may be used; try a smaller"):
        choose(SEVEN_B, 6)


def test_memory_below_the_reserve_counts_as_none() -> None:
    with pytest.raises(DoesNotFit, match="0 B may be used"):
        choose(HALF_B, 1)


def test_an_unavailable_backend_is_named_with_the_command_that_mends_it() -> None:
    missing = [
        replace(d, state="unavailable", message="not installed", mend="pip install it") for d in descriptors(MACHINE)
    ]
    with pytest.raises(BackendError, match="llama_cpp: not installed; mend it with: pip install it"):
        select(asked(form(HALF_B)), now(backends=missing))


def test_a_format_that_no_backend_runs_is_refused() -> None:
    with pytest.raises(BackendError, match="no backend runs"):
        select(asked(form(None)), now(backends=[]))


def test_an_echo_model_needs_no_details() -> None:
    plan = choose(None, 10, artefact=Artefact(format="echo", path="echo:?weights_bytes=1000", digest=""))
    assert plan.backend == "echo"
    assert plan.estimated_bytes == 1000 + 4 * plan.kv_capacity_tokens + plan.snapshots.memory_bytes


@pytest.mark.parametrize(
    ("trained_tokens", "settings", "context"),
    [(512, EngineSettings(), 512), (32_768, EngineSettings(), 8192), (32_768, EngineSettings(context_tokens=600), 600)],
)
def test_a_model_that_embeds_has_room_for_one_input_and_what_computing_it_takes(
    trained_tokens: int, settings: EngineSettings, context: int
) -> None:
    details = replace(HALF_B, context_length_tokens=trained_tokens, is_embedding=True)
    plan = choose(details, 10, settings)
    assert (plan.context_tokens, plan.kv_capacity_tokens, plan.max_step_tokens) == (context, context, 512)
    if context == 8192:
        short = choose(replace(details, context_length_tokens=512), 10)
        assert plan.estimated_bytes - short.estimated_bytes > 8192 * HALF_B.feed_forward_length * 4


def test_a_model_that_hears_is_told_of_without_words_of_what_writes() -> None:
    details = replace(HALF_B, context_length_tokens=448, is_transcriber=True)
    reasons = choose(details, 10, artefact=Artefact(format="onnx", path="decoder.onnx", digest="")).reasons
    assert "onnx is all that runs it here" in reasons
    assert not any("tokens/s" in reason or "KV cache" in reason for reason in reasons)


def test_keys_and_values_of_eight_bits_leave_room_for_more_context() -> None:
    graph = Artefact(format="onnx", path="model.onnx", digest="")
    floats = choose(SEVEN_B, 9.0, artefact=graph)
    small = choose(SEVEN_B, 9.0, EngineSettings(kv_type="int8"), graph)
    assert (floats.kv_type, small.kv_type) == ("f32", "int8")
    assert small.context_tokens > 3.9 * floats.context_tokens or small.context_tokens == 32_768
    assert small.context_tokens > floats.context_tokens
    assert "keys and values as int8: set" in small.reasons


def test_a_backend_without_the_wanted_type_keeps_its_own_and_says_so() -> None:
    plan = choose(HALF_B, 10, EngineSettings(kv_type="int8"))
    assert plan.kv_type == "f16"
    assert "keys and values as f16: llama_cpp does not offer int8" in plan.reasons


def test_prefixes_that_left_the_kv_cache_may_take_half_of_its_size_and_count_as_memory_of_the_model() -> None:
    without, plan = choose(HALF_B, 10, kv=KvSettings(memory_bytes=0)), choose(HALF_B, 10)
    assert without.snapshots.memory_bytes == 0
    assert 0 < plan.snapshots.memory_bytes == plan.estimated_bytes - without.estimated_bytes
    assert plan.snapshots.memory_bytes == plan.kv_capacity_tokens * (48 * 128 * 2 + 2 * plan.max_step_tokens) // 2


def test_their_memory_can_be_set_but_is_never_more_than_what_is_left() -> None:
    assert choose(HALF_B, 10, kv=KvSettings(memory_bytes=GIB)).snapshots.memory_bytes == GIB
    plan = choose(SEVEN_B, 7.5, kv=KvSettings(memory_bytes=100 * GIB))
    assert plan.kv_capacity_tokens == choose(SEVEN_B, 7.5).kv_capacity_tokens
    assert plan.estimated_bytes == 5.5 * GIB


def test_a_model_that_embeds_keeps_nothing() -> None:
    assert choose(replace(HALF_B, is_embedding=True), 10).snapshots.memory_bytes == 0


FOLDER = Artefact(format="safetensors", path="/models/mine/model.safetensors", digest="")
CONVERT = "convert it: appliance models convert /models/mine"


def test_what_only_other_machines_or_formats_could_run_is_to_be_converted() -> None:
    strange = replace(HALF_B, architecture="gemma3")
    with pytest.raises(BackendError, match=f"architecture 'gemma3' is not one that .* runs; {CONVERT}"):
        choose(strange, 10, artefact=FOLDER)
    without = [each for each in descriptors(MACHINE) if each.name != "tvm"]
    kernels = replace(next(each for each in descriptors(MACHINE) if each.name == "tvm"), state="unavailable", mend=None)
    with pytest.raises(BackendError, match=f"needs the backend tvm: .*; {CONVERT}"):
        select(asked(of_files(replace(HALF_B, architecture="qwen2"), FOLDER)), now(backends=[*without, kernels]))


def test_weights_that_are_quantized_anew_count_as_they_will_be() -> None:
    known = replace(HALF_B, architecture="qwen2", num_parameters=320_000_000, quantization="F32", weights_bytes=4 * GIB)
    ready = [replace(each, state="ready") for each in descriptors(MACHINE)]
    settings = Settings(engine=EngineSettings(context_tokens=1024))
    plan = select(asked(of_files(known, FOLDER)), now(backends=ready, settings=settings))
    assert (plan.backend, "324.2 MiB of weights" in " ".join(plan.reasons)) == ("tvm", True)


def with_gpu(memory_gib: float, *, is_integrated: bool = False) -> list[BackendDescriptor]:
    """Return the backends of a machine with a GPU that llama.cpp computes on."""
    gpu = EngineDevice(
        name="CUDA0",
        description="a GPU",
        is_integrated=is_integrated,
        total_bytes=int(memory_gib * GIB),
        free_bytes=int(memory_gib * GIB),
        trial=DeviceTrial(prefill_ratio=5.0),
    )
    return [
        replace(each, gpus=(gpu,), devices=("cpu", "CUDA0")) if "gguf" in each.formats and each.name != "tvm" else each
        for each in descriptors(MACHINE)
    ]


WITH_LAYERS = replace(SEVEN_B, num_layers=32, num_parameters=7 * 10**9, quantization="Q4_0", architecture="llama")


def test_layers_go_to_a_gpu_and_main_memory_is_counted_without_them() -> None:
    plan = select(asked(form(WITH_LAYERS)), now(backends=with_gpu(24)))
    alone = select(asked(form(WITH_LAYERS)), now())
    assert (plan.device, plan.gpu_layers, alone.device, alone.gpu_layers) == ("CUDA0", 33, "cpu", 0)
    assert plan.device_bytes > 4 * GIB
    assert plan.estimated_bytes < alone.estimated_bytes
    assert any("all 33 layers on CUDA0" in reason for reason in plan.reasons)


def test_a_gpu_lets_a_model_run_for_which_main_memory_is_too_small() -> None:
    scarce = 3 * GIB
    with pytest.raises(DoesNotFit):
        select(asked(form(WITH_LAYERS)), now(budget_bytes=scarce))
    plan = select(asked(form(WITH_LAYERS)), now(budget_bytes=scarce, backends=with_gpu(24)))
    assert plan.gpu_layers == 33
    assert plan.estimated_bytes <= scarce


def test_a_part_of_the_layers_goes_to_a_small_gpu() -> None:
    plan = select(asked(form(WITH_LAYERS)), now(backends=with_gpu(4)))
    assert 0 < plan.gpu_layers < 33
    assert plan.device_bytes <= 4 * GIB
    assert plan.estimated_bytes <= 8 * GIB


def test_a_gpu_is_expected_to_be_faster_until_that_is_measured() -> None:
    expected = [
        select(asked(form(WITH_LAYERS)), now(backends=backends)).expected
        for backends in (None, with_gpu(4), with_gpu(24), with_gpu(24, is_integrated=True))
    ]
    speeds = [each.decode_1_tokens_per_s or 0 for each in expected if each is not None]
    assert speeds[0] < speeds[1] < speeds[2]
    assert speeds[3] == speeds[0]
