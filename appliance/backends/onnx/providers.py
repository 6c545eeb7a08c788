"""Which execution provider serves a model here: a pure choice from the machine, what the library offers, and settings.

Knows no library: `provider_trial` gathers what is offered and tries it, `provider_choice` acts on the plan.
Source: onnxruntime.ai/docs/execution-providers, and what the wheels on the package index are built for.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from appliance.core.hardware import Accelerator
from appliance.errors import BackendError

ModelKind = Literal["decoder", "encoder"]

CPU = "CPUExecutionProvider"
AUTO = "auto"
_SUFFIX = "ExecutionProvider"


class OfferedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device that a provider says it can compute on."""

    provider: str
    kind: Literal["cpu", "gpu", "npu"]


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What the installed library and its `plug_ins` offer. `built_in` only says that code is there, not a device."""

    built_in: tuple[str, ...]
    plug_ins: tuple[str, ...] = ()
    devices: tuple[OfferedDevice, ...] = ()
    problems: tuple[str, ...] = ()


class ProviderPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Providers to try in this order, the processor last, and why. `wanted` is the one that should serve."""

    order: tuple[str, ...]
    wanted: str
    reasons: tuple[str, ...]


class _Provider(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    vendors: frozenset[str] | None  # None: of any
    kinds: frozenset[str]
    package: str


_GPU, _NPU = frozenset({"gpu"}), frozenset({"npu"})
# The order of preference. TensorRT builds an engine for every shape of input, for minutes: never before CUDA.
_PROVIDERS = (
    _Provider(name="CUDAExecutionProvider", vendors=frozenset({"nvidia"}), kinds=_GPU, package="onnxruntime-gpu"),
    _Provider(name="TensorrtExecutionProvider", vendors=frozenset({"nvidia"}), kinds=_GPU, package="onnxruntime-gpu"),
    _Provider(name="MIGraphXExecutionProvider", vendors=frozenset({"amd"}), kinds=_GPU, package="onnxruntime-migraphx"),
    _Provider(
        name="OpenVINOExecutionProvider",
        vendors=frozenset({"intel"}),
        kinds=_GPU | _NPU,
        package="onnxruntime-ep-openvino",
    ),
    _Provider(name="QNNExecutionProvider", vendors=frozenset({"qualcomm"}), kinds=_NPU, package="onnxruntime-qnn"),
    _Provider(name="WebGpuExecutionProvider", vendors=None, kinds=_GPU, package="onnxruntime-ep-webgpu"),
)
NAMES = (*(provider.name for provider in _PROVIDERS), CPU)


def full_name(setting: str) -> str | None:
    """Return the provider that a setting such as `cuda` names, None for `auto`. Raises: BackendError, for another."""
    if setting.lower() == AUTO:
        return None
    by_word = {name.removesuffix(_SUFFIX).lower(): name for name in NAMES}
    word = setting.lower().removesuffix(_SUFFIX.lower())
    if word not in by_word:
        raise BackendError(f"there is no execution provider {setting!r}; there are {AUTO}, {', '.join(by_word)}")
    return by_word[word]


def short_name(provider: str) -> str:
    """Return the provider's name without what they all end in."""
    return provider.removesuffix(_SUFFIX)


def plan_providers(
    kind: ModelKind, accelerators: Sequence[Accelerator], offer: Offer, preferred: str | None
) -> ProviderPlan:
    """Return the order in which providers are tried. `preferred` comes first; the processor alone, if it is that."""
    order: list[str] = []
    reasons = list(offer.problems)
    for provider in _PROVIDERS:
        problem = _problem(provider, kind, accelerators, offer)
        if problem is None and preferred != CPU:
            order.append(provider.name)
        elif problem is not None and (provider.name == preferred or _matching(provider, accelerators)):
            reasons.append(f"{short_name(provider.name)}: {problem}")
    order.sort(key=lambda name: name != preferred)  # stable: the others stay as they were
    order.append(CPU)
    wanted = preferred or order[0]
    reasons.append(f"{short_name(wanted)}: " + ("set" if preferred else _why(order)))
    return ProviderPlan(order=tuple(order), wanted=wanted, reasons=tuple(reasons))


def _problem(provider: _Provider, kind: ModelKind, accelerators: Sequence[Accelerator], offer: Offer) -> str | None:
    matching = _matching(provider, accelerators)
    if not matching:
        return f"this machine has no device for it ({' or '.join(sorted(provider.kinds))})"
    if all(accelerator.driver is None for accelerator in matching):
        return f"{matching[0].name or matching[0].id} has no driver; `appliance doctor` says what mends it"
    if kind == "decoder":
        # A binding copies what lies elsewhere once, when it is made: the cache would be that of the first step forever.
        return "the KV cache of this backend lies in main memory, which a device of its own cannot append to"
    own = [device for device in offer.devices if device.provider == provider.name]
    if provider.name not in offer.built_in and not own and provider.package in offer.plug_ins:
        return f"the plug-in {provider.package} is installed and finds no device it can use"
    if provider.name not in offer.built_in and not own:
        return f"the installed onnxruntime has no code for it; the package {provider.package} does"
    if own and not any(device.kind in provider.kinds for device in own):
        return f"it finds no {' or '.join(sorted(provider.kinds))} here, only the processor"
    return None


def _matching(provider: _Provider, accelerators: Sequence[Accelerator]) -> list[Accelerator]:
    return [
        accelerator
        for accelerator in accelerators
        if accelerator.kind in provider.kinds and (provider.vendors is None or accelerator.vendor in provider.vendors)
    ]


def _why(order: Sequence[str]) -> str:
    return "nothing else can serve this model here" if len(order) == 1 else "the first that fits this machine"
