"""The tiles that were measured for our kernels on this machine, in one small file for each kind of processor."""

import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from appliance.core.fingerprint import fingerprint
from appliance.core.hardware import Processor
from appliance.core.kernels import MatrixTile, TunedTiles
from models.files import replace_atomically

_VERSION = 1

_log = logging.getLogger(__name__)


class Tunings:
    """What `appliance kernels tune` found. The daemon's alone."""

    def __init__(self, folder: Path, processor: Processor, kernels: Callable[[], str | None]) -> None:
        """`kernels` names the kernels that are in use: what was measured with others counts no more."""
        self._folder = folder
        self._processor = processor
        self._kernels = kernels

    def tiles(self) -> tuple[MatrixTile, ...]:
        """Return the tiles of all matrices that gain by another than the usual one. From any thread."""
        try:
            return msgspec.json.decode(self._path().read_bytes(), type=tuple[MatrixTile, ...])
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("%s cannot be read, so the usual tiles serve: %s", self._path(), error)
            return ()

    def keep(self, found: TunedTiles) -> None:
        """Put what was found in the place of what was known of the same matrices. Raises: OSError."""
        others = (tile for tile in self.tiles() if tile.matrix not in found.measured)
        self._folder.mkdir(parents=True, exist_ok=True)
        with replace_atomically(self._path()) as stream:
            stream.write(msgspec.json.encode((*others, *found.tiles)))

    def _path(self) -> Path:
        fields = {
            "kernels": self._kernels(),
            "architecture": self._processor.architecture,
            "processor": self._processor.model,
            "usable_cores": self._processor.usable_cores,
        }
        return self._folder / f"{fingerprint('tiles', _VERSION, fields)}.json"
