"""What is measured once and kept for good: values of one kind, a small file each, below `calibration/`."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from appliance.core.fingerprint import fingerprint
from models.files import replace_atomically

T = TypeVar("T")
Fields = Mapping[str, str | int | None]

_log = logging.getLogger(__name__)


class SmallFiles(Generic[T]):
    """Owns the values of one kind. A file is named by all that its value depends on, and read once. From any thread."""

    def __init__(self, folder: Path, kind: str, version: int, type_: type[T], without: str) -> None:
        """`without` says what happens where a file cannot be read; `folder` is made when there is something to keep."""
        self._folder = folder
        self._kind = kind
        self._version = version
        self._type = type_
        self._without = without
        self._known: dict[str, T | None] = {}

    def read(self, fields: Fields) -> T | None:
        """Return what is kept under these fields, None where nothing is."""
        name = fingerprint(self._kind, self._version, fields)
        if name not in self._known:
            self._known[name] = self._read(self._path(name))
        return self._known[name]

    def write(self, fields: Fields, value: T) -> None:
        """Keep a value in the place of the former; where that fails, as long as the daemon runs. Raises: OSError."""
        name = fingerprint(self._kind, self._version, fields)
        self._known[name] = value
        self._folder.mkdir(parents=True, exist_ok=True)
        with replace_atomically(self._path(name)) as stream:
            stream.write(msgspec.json.encode(value))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _read(self, path: Path) -> T | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=self._type)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("%s cannot be read, so %s: %s", path, self._without, error)
            return None
