"""The tiles that were measured for our kernels on this machine, in one small file for each kind of processor."""

from collections.abc import Callable
from pathlib import Path

from appliance.core.hardware import Processor
from appliance.core.kernels import MatrixTile, TunedTiles

from .small_files import SmallFiles

_VERSION = 1


class Tunings:
    """What `appliance kernels tune` found. The daemon's alone."""

    def __init__(self, folder: Path, processor: Processor, kernels: Callable[[], str | None]) -> None:
        """`kernels` names the kernels that are in use: what was measured with others counts no more."""
        self._files = SmallFiles(folder, "tiles", _VERSION, tuple[MatrixTile, ...], "the usual tiles serve")
        self._processor = processor
        self._kernels = kernels

    def tiles(self) -> tuple[MatrixTile, ...]:
        """Return the tiles of all matrices that gain by another than the usual one. From any thread."""
        return self._files.read(self._fields()) or ()

    def keep(self, found: TunedTiles) -> None:
        """Put what was found in the place of what was known of the same matrices. Raises: OSError."""
        others = (tile for tile in self.tiles() if tile.matrix not in found.measured)
        self._files.write(self._fields(), (*others, *found.tiles))

    def _fields(self) -> dict[str, str | int | None]:
        return {
            "kernels": self._kernels(),
            "architecture": self._processor.architecture,
            "processor": self._processor.model,
            "usable_cores": self._processor.usable_cores,
        }
