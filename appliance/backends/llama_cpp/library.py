"""The one door to libllama: imports it, routes its log into ours, opens and frees models. Knows no sequence."""

import ctypes
import logging
import os
from collections import deque
from collections.abc import Callable
from typing import Any

from appliance.errors import BackendError

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

__all__ = ["failure", "load_model", "load_vocabulary", "metadata", "native", "read_text"]

_log = logging.getLogger(__name__)

# libllama's warnings speak to its developers (a context below the trained one, a token type it corrects).
_LOG_LEVELS = {4: logging.ERROR}
_IS_CONTINUED, _IS_ERROR = 5, 4

_last_errors: deque[str] = deque(maxlen=4)
_level_of_last_line = 0


@native.llama_log_callback  # type: ignore[untyped-decorator]  # the library has no types
def _on_log(level: int, text: bytes, _user_data: object) -> None:
    """Hand a line of the library's log on. An error is kept: it says why the call that follows from it failed."""
    global _level_of_last_line
    level = _level_of_last_line if level == _IS_CONTINUED else level
    _level_of_last_line = level
    line = text.decode(errors="replace").strip()
    if not line.strip("."):
        return
    if level == _IS_ERROR:
        _last_errors.append(line)
    _log.log(_LOG_LEVELS.get(level, logging.DEBUG), "%s", line)


native.llama_log_set(_on_log, None)
native.llama_backend_init()


def failure(what_failed: str, what_to_do: str = "") -> str:
    """Return a sentence with the library's own last errors in it, and forget them."""
    why = "; ".join(_last_errors) or "the library gives no reason"
    _last_errors.clear()
    return f"{what_failed}: {why}{what_to_do}"


def load_model(path: str, *, gpu_layers: int, progress: Callable[[float], None]) -> Any:
    """Return a model with its weights. Raises: BackendError, with the library's reason."""
    params = native.llama_model_default_params()
    params.n_gpu_layers = gpu_layers
    params.load_mode = native.LLAMA_LOAD_MODE_NONE
    callback = _progress_callback(progress)
    params.progress_callback = callback
    return _load(path, params)


def load_vocabulary(path: str) -> Any:
    """Return a model without weights, for its vocabulary. Raises: BackendError, with the library's reason."""
    params = native.llama_model_default_params()
    params.vocab_only = True
    return _load(path, params)


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
