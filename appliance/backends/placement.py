"""Where the layers of a model are computed: all on a GPU that holds them, a part, or none. Pure, with its reasons.

What a layer takes is counted from above: where the file does not tell layers apart, they count as equally large.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from appliance.core.devices import EngineDevice
from appliance.core.plan import MemoryEstimate
from appliance.core.units import format_bytes
from appliance.errors import BackendError
from appliance.settings import EngineSettings
from models.manifest import ModelDetails

CPU = "cpu"
AUTO = "auto"
# Of a GPU's own memory, for its driver, its kernels and the screen. Source: llama.cpp's own margin when it fits a model
# to a device (common.h, fit_params_target).
_RESERVE_BYTES = 2**30
# So much faster must an integrated GPU have read a prompt: its memory is the processor's, so generating gains nothing.
_LEAST_INTEGRATED_RATIO = 1.5
_LEAST_GAIN_RATIO = 1.05
_LEAST_LAYERS_RATIO = 0.1
"""Fewer layers than this part are not worth the way of every step to the GPU and back."""


@dataclass(frozen=True, slots=True)
class Placement:
    """How much of a model goes where. `gpu_layers` counts the output layer, as llama.cpp does.

    `device_bytes` lie in memory that is the device's own, `main_bytes` in main memory. `problem` says why it is the
    processor that computes, where a device was set or one failed its trial.
    """

    device: str
    gpu_layers: int
    device_bytes: int
    main_bytes: int
    reasons: tuple[str, ...] = ()
    problem: str | None = None


def place(
    need: MemoryEstimate,
    details: ModelDetails | None,
    devices: Sequence[EngineDevice],
    settings: EngineSettings,
    capacity_tokens: int,
    gains: Mapping[str, float] | None = None,
) -> Placement:
    """Return where a model with a KV cache of so many tokens is best computed. No device, no word about any.

    `gains` tells of devices how many times as fast as on the processor this very model was measured there. Raises:
    BackendError, where there is a `problem`, and falling back is refused.
    """
    if settings.device == CPU:
        return _on_processor(need, capacity_tokens, ("engine.device is cpu: set",) if devices else ())
    able, reasons = usable(devices, settings, gains or {})
    best = max((_fill(need, details, device, capacity_tokens) for device in able), key=_rank, default=None)
    if best is not None and best.gpu_layers:
        return Placement(best.device, best.gpu_layers, best.device_bytes, best.main_bytes, (*best.reasons, *reasons))
    reasons += best.reasons if best is not None else ()
    is_failure = settings.device != AUTO or any(device.trial and device.trial.problem for device in devices)
    problem = "; ".join(reasons) if is_failure else None
    if problem is not None and settings.device_fallback == "refuse":
        raise BackendError(f"{problem}; set engine.device to cpu, or engine.device_fallback to warn")
    return _on_processor(need, capacity_tokens, reasons, problem)


def own_memory_bytes(devices: Sequence[EngineDevice], settings: EngineSettings) -> int:
    """Return what a GPU adds to main memory: the most that one of those that may be used can hold."""
    if settings.device == CPU:
        return 0
    able, _ = usable(devices, settings, {})
    return max((_free_bytes(device) for device in able if not device.is_integrated), default=0)


def whole_capacity_tokens(
    need: MemoryEstimate, details: ModelDetails | None, devices: Sequence[EngineDevice], settings: EngineSettings
) -> int | None:
    """Return how long a KV cache can be with all layers on one GPU, None where no GPU of its own memory holds them."""
    if settings.device == CPU or details is None or not details.num_layers:
        return None
    able, _ = usable(devices, settings, {})
    rounding_bytes = 2 * details.num_layers  # of a layer's weights and of its keys and values
    fixed_bytes = need.weights_bytes + need.scratch_bytes + rounding_bytes
    rooms = [_free_bytes(device) - fixed_bytes for device in able if not device.is_integrated]
    tokens = max(rooms, default=0) // max(1, need.kv_bytes_per_token)
    return tokens if tokens > 0 else None


def usable(
    devices: Sequence[EngineDevice], settings: EngineSettings, gains: Mapping[str, float]
) -> tuple[tuple[EngineDevice, ...], tuple[str, ...]]:
    """Return the devices that may be used, and of the others the reasons."""
    wanted = [device for device in devices if settings.device in (AUTO, device.name)]
    if not wanted and settings.device != AUTO:
        names = ", ".join(device.name for device in devices) or "no GPU that llama.cpp can use"
        return (), (f"there is no {settings.device} here, there is {names}",)
    problems = {device.name: _problem(device, settings, gains.get(device.name)) for device in wanted}
    able = tuple(device for device in wanted if problems[device.name] is None)
    return able, tuple(_reasons(wanted, problems))


def _reasons(devices: Sequence[EngineDevice], problems: Mapping[str, str | None]) -> Iterator[str]:
    for device in devices:
        if (problem := problems[device.name]) is not None:
            yield f"{_named(device)} is not used: {problem}"


def _problem(device: EngineDevice, settings: EngineSettings, gain_ratio: float | None) -> str | None:
    trial = device.trial
    if trial is not None and trial.problem is not None:
        return trial.problem
    if settings.device == device.name:
        return None
    if gain_ratio is not None:
        return f"this model ran {gain_ratio:.2f} times as fast there" if gain_ratio < _LEAST_GAIN_RATIO else None
    if not device.is_integrated:
        return None
    if trial is None or trial.prefill_ratio is None:
        return "it shares the processor's memory, and whether it gains anything has not been measured yet"
    if trial.prefill_ratio < _LEAST_INTEGRATED_RATIO:
        return f"it shares the processor's memory and read a prompt {trial.prefill_ratio:.1f} times as fast"
    return None


def _fill(need: MemoryEstimate, details: ModelDetails | None, device: EngineDevice, capacity_tokens: int) -> Placement:
    """Return the most of a model that one device holds; the output layer goes there first."""
    num_layers = details.num_layers if details is not None else None
    if details is None or not num_layers:
        reason = f"nothing is computed on {device.name}: the file does not say how many layers the model has"
        return _on_processor(need, capacity_tokens, (reason,))
    output_bytes = _output_bytes(need, details)
    layer_bytes = ceil((need.weights_bytes - output_bytes) / num_layers)
    kv_bytes = ceil(capacity_tokens * need.kv_bytes_per_token / num_layers)
    left_bytes = _free_bytes(device) - need.scratch_bytes - output_bytes
    num_fitting = max(-1, min(num_layers, left_bytes // max(1, layer_bytes + kv_bytes)))
    if num_fitting < max(1, _LEAST_LAYERS_RATIO * num_layers):
        least_bytes = need.scratch_bytes + output_bytes + layer_bytes + kv_bytes
        reason = (
            f"nothing is computed on {_named(device)}: {format_bytes(max(0, _free_bytes(device)))} of it may be used, "
            f"and a single layer takes {format_bytes(least_bytes)}"
        )
        return _on_processor(need, capacity_tokens, (reason,))
    moved_bytes = num_fitting * (layer_bytes + kv_bytes)
    device_bytes = need.scratch_bytes + output_bytes + moved_bytes
    whole_bytes = need.weights_bytes + need.scratch_bytes + capacity_tokens * need.kv_bytes_per_token
    main_bytes = whole_bytes if device.is_integrated else max(need.scratch_bytes, whole_bytes - moved_bytes)
    part = "all" if num_fitting == num_layers else f"{num_fitting + 1} of"
    reason = (
        f"{part} {num_layers + 1} layers on {_named(device)}: they take {format_bytes(device_bytes)} "
        f"of {format_bytes(_free_bytes(device))} that may be used there"
    )
    return Placement(device.name, num_fitting + 1, 0 if device.is_integrated else device_bytes, main_bytes, (reason,))


def _on_processor(
    need: MemoryEstimate, capacity_tokens: int, reasons: tuple[str, ...] = (), problem: str | None = None
) -> Placement:
    main_bytes = need.weights_bytes + need.scratch_bytes + capacity_tokens * need.kv_bytes_per_token
    return Placement(CPU, 0, 0, main_bytes, reasons, problem)


def _output_bytes(need: MemoryEstimate, details: ModelDetails) -> int:
    """Return what the output layer takes, which is as large as the table of tokens."""
    values = (details.vocab_size or 0) * (details.embedding_length or 0)
    share = min(values / details.num_parameters, 0.5) if details.num_parameters else 0.0
    return int(share * need.weights_bytes)


def _free_bytes(device: EngineDevice) -> int:
    return device.free_bytes - (0 if device.is_integrated else _RESERVE_BYTES)


def _rank(placement: Placement) -> tuple[int, int]:
    """Rank by layers; of two that hold as many, the one with memory of its own."""
    return placement.gpu_layers, placement.device_bytes


def _named(device: EngineDevice) -> str:
    return f"{device.name} ({device.description})"
