"""The GPUs that the library sees in this process. Only for workers and children: a broken driver may end the process.

Source: ggml-backend.h of llama.cpp, whose functions the Python package does not declare.
"""

import ctypes
from typing import Any

from appliance.backends.llama_cpp.library import libggml
from appliance.core.devices import EngineDevice
from appliance.errors import BackendError

_GPU, _INTEGRATED = 1, 2


class _Properties(ctypes.Structure):
    """`struct ggml_backend_dev_props`; the capabilities at its end are given more room than they take."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("description", ctypes.c_char_p),
        ("memory_free", ctypes.c_size_t),
        ("memory_total", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("device_id", ctypes.c_char_p),
        ("capabilities", ctypes.c_bool * 32),
    )


def _declared(library: Any) -> Any:
    library.ggml_backend_dev_count.restype = ctypes.c_size_t
    library.ggml_backend_dev_get.argtypes = (ctypes.c_size_t,)
    library.ggml_backend_dev_get.restype = ctypes.c_void_p
    library.ggml_backend_dev_get_props.argtypes = (ctypes.c_void_p, ctypes.POINTER(_Properties))
    library.ggml_backend_dev_get_props.restype = None
    return library


_ggml = _declared(libggml)


def list_gpus() -> tuple[EngineDevice, ...]:
    """Return the GPUs in the library's order; `accelerator` is the address on the bus, where it says one."""
    return tuple(device for _, device in _gpus())


def handles(name: str) -> Any:
    """Return the one GPU as `library.load_model` takes it. Raises: BackendError, when there is none of that name."""
    for handle, device in _gpus():
        if device.name == name:
            return (ctypes.c_void_p * 2)(handle, None)
    raise BackendError(f"llama.cpp sees no {name} in this process")


def _gpus() -> list[tuple[int, EngineDevice]]:
    found = []
    for index in range(_ggml.ggml_backend_dev_count()):
        handle = _ggml.ggml_backend_dev_get(index)
        properties = _Properties()
        _ggml.ggml_backend_dev_get_props(handle, ctypes.byref(properties))
        if properties.type in (_GPU, _INTEGRATED):
            found.append((handle, _device(properties)))
    return found


def _device(properties: _Properties) -> EngineDevice:
    address = properties.device_id
    return EngineDevice(
        name=properties.name.decode(),
        description=properties.description.decode(errors="replace").strip(),
        is_integrated=properties.type == _INTEGRATED,
        total_bytes=properties.memory_total,
        free_bytes=properties.memory_free,
        accelerator=f"pci:{address.decode().lower()}" if address else None,
    )
