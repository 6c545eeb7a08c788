"""The files of adapters as the model's library reads them: what PEFT wrote is converted once, beside the steps.

Runs on the worker's reader thread.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from msgspec.structs import replace

from appliance.core.plan import Artefact
from appliance.core.request import AdapterRef
from appliance.errors import InvalidRequest
from models.to_gguf.lora import LoraBase, convert_lora, read_lora_base
from models.to_gguf.refusal import NotConvertible


class AdapterFiles:
    """Prepares adapters for one model, whose steps apply so many at once."""

    def __init__(self, artefact: Artefact, max_adapters: int) -> None:
        self._artefact = artefact
        self._max_adapters = max_adapters

    def ready(self, adapters: Sequence[AdapterRef]) -> tuple[AdapterRef, ...]:
        """Return adapters with the files to load. Raises: InvalidRequest."""
        if len(adapters) > self._max_adapters:
            raise InvalidRequest(
                f"{len(adapters)} adapters are named, and this model applies at most {self._max_adapters} at once",
                param="model",
            )
        return tuple(map(self._ready, adapters))

    def _ready(self, adapter: AdapterRef) -> AdapterRef:
        if adapter.format != "peft" or self._artefact.format != "gguf":
            return adapter
        try:
            target = Path(adapter.compiled_path) / self._base.file_name
            if not target.is_file():
                convert_lora(Path(adapter.path), self._base, target)
        except (NotConvertible, OSError) as error:
            raise InvalidRequest(f"adapter '{adapter.name}' cannot be applied: {error}", param="model") from error
        return replace(adapter, path=str(target), format="gguf")

    @cached_property
    def _base(self) -> LoraBase:
        return read_lora_base(Path(self._artefact.path))
