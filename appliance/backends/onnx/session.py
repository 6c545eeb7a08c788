"""An onnxruntime session over a prepared graph: threads, memory and the errors of the library in our words."""

import ctypes
from pathlib import Path
from typing import Any

import onnxruntime as native

from appliance.backends.onnx.plug_ins import register_plug_ins
from appliance.backends.onnx.provider_choice import ON_PROCESSOR, Choice, check_session, settle
from appliance.backends.onnx.providers import CPU
from appliance.errors import BackendError, OutOfDeviceMemory

_ERRORS_ONLY = 3
_SPIN_US = "15"


def open_session(graph: Path, weights_folder: Path | None, num_threads: int, choice: Choice = ON_PROCESSOR) -> Any:
    """Return an `InferenceSession` that maps the weights from their own folder. Raises: BackendError.

    It is made for the provider of `choice` and held to it: what another one computes is refused or said in the log.
    """
    options = session_options(num_threads)
    if weights_folder is not None:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(weights_folder))
    try:
        if choice.provider != CPU:
            register_plug_ins(native)
        session = new_session(graph.read_bytes(), options, choice.provider)
    except Exception as error:  # the library's errors have no common class
        failure = library_error(f"{graph} cannot be loaded", error)
        if choice.provider == CPU:
            raise failure from None
        settle(choice.policy, choice.provider, failure.message, choice.reasons)
        return open_session(graph, weights_folder, num_threads)
    check_session(choice, session.get_providers(), graph_shares(session))
    return_freed_memory()
    return session


def session_options(num_threads: int) -> Any:
    """Return the options that every session here has.

    Of the library's switches for memory none helps, measured on 0.5 billion weights in int4 (553 MiB loaded):
    `use_device_allocator_for_initializers`, no memory arena and a shrinking one change nothing, and
    `disable_prepacking` saves the packed copy (124 MiB) but generates 40 times as slowly.
    """
    options = native.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.execution_mode = native.ExecutionMode.ORT_SEQUENTIAL
    options.enable_mem_pattern = False  # steps differ in shape, so that a plan for one never fits the next
    # Threads wait actively for the next operator of a step, briefly, and never between steps. With 0.5B parameters in
    # int4 this made decoding 1.2 times as fast as sleeping at once. Where another program takes a core, waiting as long
    # as the library does by default cost a half of the speed, these microseconds a tenth.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.intra_op.spin_duration_us", _SPIN_US)
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def new_session(model: bytes, options: Any, provider: str) -> Any:
    """Return a session on that provider, whether it is built in or a plug-in. The library's own errors pass through."""
    # Which nodes a provider took is the only sign of one that is there and computes nothing.
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if provider == CPU:
        return native.InferenceSession(model, options, providers=[CPU])
    if provider in native.get_available_providers():
        return native.InferenceSession(model, options, providers=[provider, CPU])
    own = [device for device in native.get_ep_devices() if device.ep_name == provider]
    if not own:
        raise BackendError(f"{provider} has no device in this process")
    options.add_provider_for_devices([device for device in own if device.device.type.name != "CPU"] or own, {})
    return native.InferenceSession(model, options)


def graph_shares(session: Any) -> dict[str, int]:
    """Return how many nodes of the graph each provider computes, of a session from `new_session`."""
    shares: dict[str, int] = {}
    for part in session.get_provider_graph_assignment_info():
        shares[part.ep_name] = shares.get(part.ep_name, 0) + len(part.get_nodes())
    return shares


def return_freed_memory() -> None:
    """Give the system back what the library freed: the allocator of glibc keeps small blocks, others need no asking.

    Measured on 0.5 billion weights in int4: 16 MiB less after loading, 40 MiB less after closing.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def library_error(what: str, error: Exception) -> BackendError:
    """Return the library's error in our words; out of memory is an error of its own."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    is_memory = isinstance(error, MemoryError) or "bad_alloc" in reason or "Failed to allocate" in reason
    return (OutOfDeviceMemory if is_memory else BackendError)(f"{what}: {reason}")
