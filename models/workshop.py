"""What the store leaves to others: formats whose files only a library can read, in a process of its own."""

from pathlib import Path
from typing import Protocol

import msgspec

from models.manifest import ModelDetails


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """A model that can be served: what it is, and the files with its weights, relative to the folder of its graph."""

    data_files: tuple[str, ...]
    details: ModelDetails


class Workshop(Protocol):
    """Examines models of one format, and prepares them for serving. Both raise StoreError, with what is missing."""

    def examine(self, graph: Path) -> Examined:
        """Check that the model can be served, before it is read whole."""

    def prepare(self, graph: Path, folder: Path) -> None:
        """Make in `folder` what every load of the model would have to make again."""
