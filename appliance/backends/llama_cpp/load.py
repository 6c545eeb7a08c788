"""From a plan to a model in memory, on the GPU that it was planned for or, said aloud, on what there is instead."""

import logging
from collections.abc import Callable, Mapping

import psutil
from msgspec.structs import replace

from appliance.backends.llama_cpp import devices, library
from appliance.backends.llama_cpp.adapter import LlamaCppModel
from appliance.backends.llama_cpp.encoder import LlamaCppEncoder, pooling_of
from appliance.backends.llama_cpp.settling import checked, settle
from appliance.core.devices import DeviceTrial
from appliance.core.plan import LoadPlan

_log = logging.getLogger(__name__)


def load(
    plan: LoadPlan, trials: Mapping[str, DeviceTrial], progress: Callable[[float], None]
) -> LlamaCppModel | LlamaCppEncoder:
    """Load the plan's file; `trials` are of GPUs that were tried for it. Raises: BackendError, OutOfDeviceMemory."""
    present = devices.list_gpus() if plan.gpu_layers else ()
    chosen = settle(plan, present, trials, psutil.virtual_memory().available)
    handles = devices.handles(chosen.device) if chosen.gpu_layers else None
    settled = replace(plan, device=chosen.device, gpu_layers=chosen.gpu_layers)
    with library.listening() as lines:
        native = library.load_model(
            plan.artefact.path, gpu_layers=chosen.gpu_layers, devices=handles, progress=progress
        )
        pooling = pooling_of(native)
        model = LlamaCppModel(settled, native) if pooling is None else LlamaCppEncoder(settled, native, pooling)
    try:
        placed = checked(plan, chosen, lines)
    except BaseException:
        model.close()
        raise
    if placed.problem is not None:
        level = logging.INFO if plan.device_fallback == "allow" else logging.WARNING
        _log.log(level, "model '%s' is computed on %s: %s", plan.model, placed.device, placed.problem)
    model.traits = replace(model.traits, placed=placed)
    return model
