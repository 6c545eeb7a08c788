"""Plug-in wheels with execution providers: found by their distribution's name, registered once in a process.

Source: onnxruntime.ai/docs/execution-providers/plugin-ep-libraries (packages offer `get_library_path`).
"""

import importlib
from importlib.metadata import distributions
from typing import Any

_PREFIX = "onnxruntime-ep-"
_OTHERS = frozenset({"onnxruntime-qnn"})
_registered: dict[str, str | None] = {}


def installed_plug_ins() -> tuple[str, ...]:
    """Return the names of the distributions, without importing any."""
    names = {(found.metadata["Name"] or "").lower().replace("_", "-") for found in distributions()}
    return tuple(sorted(name for name in names if name.startswith(_PREFIX) or name in _OTHERS))


def register_plug_ins(native: Any) -> tuple[str, ...]:
    """Register every installed one with the library `native` and return what went wrong, a sentence each."""
    for name in installed_plug_ins():
        if name not in _registered:
            _registered[name] = _register(native, name)
    return tuple(problem for problem in _registered.values() if problem is not None)


def _register(native: Any, name: str) -> str | None:
    try:
        module = importlib.import_module(name.replace("-", "_"))
        native.register_execution_provider_library(name, module.get_library_path())
    except Exception as error:  # whatever a foreign package raises, the processor still serves
        return f"the plug-in {name} cannot be used: {(str(error) or repr(error)).splitlines()[0]}"
    return None
