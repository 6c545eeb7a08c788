"""The backends as a worker knows them: opened by name, or by the artefact that a tokenizer lies in."""

from appliance.backends.base import Backend, InputReader, Tokenizer
from appliance.backends.echo import EchoBackend
from appliance.backends.llama_cpp.backend import LlamaCppBackend
from appliance.backends.onnx.backend import OnnxBackend
from appliance.backends.tvm.backend import TvmBackend
from appliance.core.plan import Artefact
from appliance.errors import BackendError

_BACKENDS: dict[str, Backend] = {
    "llama_cpp": LlamaCppBackend(),
    "onnx": OnnxBackend(),
    "tvm": TvmBackend(),
    "echo": EchoBackend(),
}
_BACKEND_OF_FORMAT = {"gguf": "llama_cpp", "onnx": "onnx", "safetensors": "tvm", "echo": "echo"}


def open_backend(name: str) -> Backend:
    """Return the backend of that name. Raises: BackendError, if there is none."""
    if name not in _BACKENDS:
        raise BackendError(f"there is no backend {name!r}; there are {', '.join(_BACKENDS)}")
    return _BACKENDS[name]


def open_tokenizer(artefact: Artefact) -> Tokenizer:
    """Return the tokenizer that lies in the artefact. Raises: BackendError, if it cannot be read."""
    return _BACKENDS[_BACKEND_OF_FORMAT[artefact.format]].open_tokenizer(artefact)


def open_inputs(artefact: Artefact) -> InputReader:
    """Return what turns texts into the inputs of an encoder. Raises: BackendError, if it cannot be read."""
    return _BACKENDS[_BACKEND_OF_FORMAT[artefact.format]].open_inputs(artefact)
