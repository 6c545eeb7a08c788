"""Models, machines and measurements for tests of the choice."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from appliance.backends.asked import Asked, Forced, Form, MachineNow
from appliance.backends.registry import descriptors
from appliance.core.hardware import HardwareSnapshot
from appliance.core.measurement import Measurement, ModelSpeed, PrefillSpeed
from appliance.core.plan import Artefact, BackendDescriptor
from appliance.settings import Settings
from models.manifest import ModelDetails
from tests.fakes import machine

GIB = 2**30
MACHINE = machine(usable_cores=3, memory_bytes=10 * GIB)
GGUF = Artefact(format="gguf", path="model.gguf", digest="sha256:gguf")
# The shape of a model with seven billion parameters: 128 KiB of KV cache a token.
SEVEN_B = ModelDetails(
    weights_bytes=4 * GIB,
    context_length_tokens=131_072,
    embedding_length=4096,
    total_kv_heads=256,
    key_length=128,
    value_length=128,
    feed_forward_length=14_336,
    vocab_size=128_256,
)
HALF_B = replace(SEVEN_B, weights_bytes=GIB // 3, total_kv_heads=48, key_length=64, value_length=64)
QWEN = replace(HALF_B, architecture="qwen2", num_parameters=494_000_000, quantization="Q4_0")
MINILM = ModelDetails(
    architecture="bert",
    num_parameters=22_700_000,
    quantization="fp32",
    weights_bytes=90_000_000,
    loaded_bytes=90_000_000,
    context_length_tokens=512,
    embedding_length=384,
    feed_forward_length=1536,
    vocab_size=30_522,
    is_embedding=True,
)


def form(
    details: ModelDetails | None = QWEN,
    *,
    model: str = "qwen3",
    format_: str = "gguf",
    digest: str = "sha256:gguf",
    loss_ratio: float | None = 0.0,
    compiled_path: str = "",
) -> Form:
    artefact = Artefact(format=format_, path=f"model.{format_}", digest=digest, compiled_path=compiled_path)
    return Form(model=model, artefact=artefact, details=details, loss_ratio=loss_ratio)


def asked(
    *forms: Form, variant: str | None = None, serving: tuple[str, str] | None = None, is_set: bool = False
) -> Asked:
    """Return an order for the model `qwen3`; `is_set`: it is the settings that ask for the variant."""
    forced = None if variant is None else Forced(variant=variant, by="setting" if is_set else "name")
    return Asked(model="qwen3", forms=forms or (form(),), forced=forced, serving=serving)


def now(
    snapshot: HardwareSnapshot = MACHINE,
    *,
    budget_bytes: int = 8 * GIB,
    settings: Settings | None = None,
    measured: Mapping[tuple[str, str], Measurement] | None = None,
    backends: Sequence[BackendDescriptor] | None = None,
) -> MachineNow:
    """Return a machine with all backends; `measured` is by digest and backend."""
    known = measured or {}
    return MachineNow(
        snapshot,
        descriptors(snapshot) if backends is None else backends,
        settings or Settings(),
        budget_bytes,
        measured=lambda digest, backend, kv_type: known.get((digest, backend)),
    )


def measurement(
    prefill: float, decode_1: float | None = None, decode_8: float | None = None, *, memory_bytes: int = GIB
) -> Measurement:
    """Return what was measured on the second of November 2026, of a plan of one GiB."""
    return Measurement(
        speed=ModelSpeed(
            prefill=(
                PrefillSpeed(num_tokens=128, tokens_per_s=prefill),
                PrefillSpeed(num_tokens=512, tokens_per_s=prefill),
            ),
            decode_1_tokens_per_s=decode_1,
            decode_8_tokens_per_s=decode_8,
        ),
        memory_bytes=memory_bytes,
        estimated_bytes=GIB,
        threads_decode=2,
        threads_prefill=2,
        measured_s=1_793_620_800.0,
    )
