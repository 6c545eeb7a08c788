"""LoRA adapters in libllama: they belong to a model, and a context computes with one set of them at a time.

Source: llama.h, llama_adapter_lora_init and llama_set_adapters_lora.
"""

import ctypes
from itertools import count
from typing import Any

from appliance.backends.llama_cpp import library
from appliance.backends.llama_cpp.library import native
from appliance.core.traits import AdapterId
from appliance.errors import BackendError

AdapterSet = tuple[tuple[AdapterId, float], ...]


class Adapters:
    """The adapters of one model, and those with which its context computes now."""

    def __init__(self, model: Any, context: Any) -> None:
        self._model = model
        self._context = context
        self._ids = count()
        self._loaded: dict[AdapterId, Any] = {}
        self._applied: AdapterSet = ()

    def load(self, path: str) -> AdapterId:
        """Read an adapter; its matrices lie beside those of the model, on a GPU too. Raises: BackendError."""
        pointer = native.llama_adapter_lora_init(self._model, path.encode())
        if not pointer:
            raise BackendError(library.failure(f"llama.cpp cannot read the adapter {path}"))
        adapter = AdapterId(next(self._ids))
        self._loaded[adapter] = pointer
        return adapter

    def unload(self, adapter: AdapterId) -> None:
        """Free an adapter; the context lets go of it first. Raises: BackendError."""
        if any(applied == adapter for applied, _ in self._applied):
            self.apply(())
        native.llama_adapter_lora_free(self._loaded.pop(adapter))

    def apply(self, adapters: AdapterSet) -> None:
        """Compute with these from the next step on. Raises: BackendError."""
        if adapters == self._applied:
            return
        if not all(adapter in self._loaded for adapter, _ in adapters):
            raise BackendError("a call broke the rules of the backend: a step names an adapter that is not loaded")
        num_adapters = len(adapters)
        pointers = (native.llama_adapter_lora_p_ctypes * num_adapters)(*(self._loaded[each] for each, _ in adapters))
        scales = (ctypes.c_float * num_adapters)(*(scale for _, scale in adapters))
        if native.llama_set_adapters_lora(self._context, pointers, num_adapters, scales) != 0:
            raise BackendError(library.failure("llama.cpp cannot apply the adapters"))
        self._applied = adapters
