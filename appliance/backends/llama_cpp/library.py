"""The one door to libllama: imports it, routes its log into ours, opens and frees models. Knows no sequence."""

import ctypes
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from appliance.errors import BackendError, OutOfDeviceMemory

# GNU OpenMP's threads wait for each other by spinning, within a step and also between two steps, when only Python
# works. So long a spin covers the waits within a step; past it a thread sleeps and leaves its core to others. Measured
# with 0.5B parameters on two cores, tokens/s of one sequence on a quiet machine and beside a program that keeps one
# core busy: 84 and 19 with this; 82 and 0.4 with the 300,000 of the library; 36 and 52 when threads sleep at once; one
# thread has 63 both times, so fewer threads, and not a shorter spin, are the answer to a neighbour. Binding threads to
# cores (OMP_PROC_BIND) gains nothing. Read once, when the library is loaded: hence everyone imports it from here.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
# A failed assertion in the library shall end the worker at once, not start a debugger on it first.
os.environ.setdefault("GGML_NO_BACKTRACE", "1")

import llama_cpp as native
import llama_cpp.mtmd_cpp as mtmd
from llama_cpp._ggml import libggml

__all__ = [
    "NO_DEVICES",
    "decode_failure",
    "expect_failure",
    "failure",
    "forget_errors",
    "libggml",
    "listening",
    "load_model",
    "load_vocabulary",
    "metadata",
    "mtmd",
    "native",
    "new_context",
    "on_log",
    "read_text",
]

_log = logging.getLogger(__name__)

# libllama's warnings speak to its developers (a context below the trained one, a token type it corrects).
_LOG_LEVELS = {4: logging.ERROR}
_IS_CONTINUED, _IS_ERROR = 5, 4
_NO_MEMORY = -2  # a result of llama_decode. Source: llama.h

NO_DEVICES = (ctypes.c_void_p * 1)(None)
"""What `load_model` takes for the processor alone."""

_last_errors: deque[str] = deque(maxlen=4)
_listeners: list[list[str]] = []
_level_of_last_line = 0
_is_failure_wanted = False


@native.llama_log_callback  # type: ignore[untyped-decorator]  # the library has no types
def on_log(level: int, text: bytes, _user_data: object) -> None:
    """Hand a line of the library's log on. An error is kept: it says why the call that follows from it failed."""
    global _level_of_last_line
    level = _level_of_last_line if level == _IS_CONTINUED else level
    _level_of_last_line = level
    if level == _IS_ERROR and _is_failure_wanted:
        return
    line = text.decode(errors="replace").strip()
    if not line.strip("."):
        return
    if level == _IS_ERROR:
        _last_errors.append(line)
    for lines in _listeners:
        lines.append(line)
    _log.log(_LOG_LEVELS.get(level, logging.DEBUG), "%s", line)


native.llama_log_set(on_log, None)
native.llama_backend_init()


def expect_failure(is_wanted: bool) -> None:
    """Say whether a step that fails now was meant to: the library calls an aborted one an error, in three lines."""
    global _is_failure_wanted
    _is_failure_wanted = is_wanted


@contextmanager
def listening() -> Iterator[list[str]]:
    """Yield the lines that the library logs from now on: some of what it does it tells nowhere else."""
    lines: list[str] = []
    _listeners.append(lines)
    try:
        yield lines
    finally:
        _listeners.remove(lines)


def failure(what_failed: str, what_to_do: str = "") -> str:
    """Return a sentence with the library's own last errors in it, and forget them."""
    why = "; ".join(_last_errors) or "the library gives no reason"
    _last_errors.clear()
    return f"{what_failed}: {why}{what_to_do}"


def forget_errors() -> None:
    """Begin a call whose failure is not to be explained by what failed before."""
    _last_errors.clear()


def decode_failure(status: int, what_failed: str) -> BackendError:
    """Return why `llama_decode` ended with that status."""
    kind = OutOfDeviceMemory if status == _NO_MEMORY else BackendError
    return kind(failure(f"{what_failed} (status {status})"))


def load_model(path: str, *, gpu_layers: int, progress: Callable[[float], None], devices: Any = None) -> Any:
    """Return a model with its weights, so many layers of it on the `devices`, which end with None.

    Raises: BackendError, with the library's reason.
    """
    params = native.llama_model_default_params()
    params.n_gpu_layers = gpu_layers
    params.load_mode = native.LLAMA_LOAD_MODE_NONE
    # With no list at all the library would send large steps to whatever GPU there is.
    listed = devices if devices is not None else NO_DEVICES
    params.devices = ctypes.addressof(listed)
    callback = _progress_callback(progress)
    params.progress_callback = callback
    return _load(path, params)


def load_vocabulary(path: str) -> Any:
    """Return a model without weights, for its vocabulary. Raises: BackendError, with the library's reason."""
    params = native.llama_model_default_params()
    params.vocab_only = True
    return _load(path, params)


def new_context(model: Any, params: Any, what_failed: str) -> Any:
    """Return a context of a model. Raises: OutOfDeviceMemory, BackendError, with the library's reason."""
    context = native.llama_init_from_model(model, params)
    if not context:
        message = failure(what_failed)
        raise (OutOfDeviceMemory if "alloc" in message else BackendError)(message)
    return context


def read_text(call: Callable[..., int], subject: Any) -> str:
    """Return what a function of the form `(subject, buffer, size) -> length` writes."""
    buffer = ctypes.create_string_buffer(256)
    call(subject, buffer, len(buffer))
    return buffer.value.decode(errors="replace")


def metadata(model: Any, key: str) -> str | None:
    """Return what the file says under a key, as text; None where it says nothing."""
    buffer = ctypes.create_string_buffer(256)
    length = native.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return None if length < 0 else buffer.value.decode(errors="replace")


def _load(path: str, params: Any) -> Any:
    _last_errors.clear()
    model = native.llama_model_load_from_file(path.encode(), params)
    if not model:
        raise BackendError(failure(f"llama.cpp cannot load {path}", "; check that the file is a whole GGUF model"))
    return model


def _progress_callback(progress: Callable[[float], None]) -> Any:
    def on_progress(ratio: float, _user_data: object) -> bool:
        progress(ratio)
        return True

    return native.llama_progress_callback(on_progress)
