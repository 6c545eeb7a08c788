"""Files that clients send, named by their digest, until a model is made of them."""

import hashlib
import os
import re
import shutil
from pathlib import Path

from models.errors import StoreError
from models.files import PARTIAL_SUFFIX, sync_folder

MIN_FREE_BYTES = 2**30
"""What an upload leaves free on its disk: the state of the daemon lies there, too."""

_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")


class WrongDigest(StoreError):
    """What came is not what was announced."""


def sha256_of(digest: str) -> str:
    """Return the 64 digits of `sha256:…`. Raises: StoreError, for whatever else was sent."""
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise StoreError(f"invalid digest {digest[:80]!r}; write 'sha256:' and 64 hexadecimal digits in lower case")
    return match[1]


class Upload:
    """One file on its way in. Nothing of it is left unless it was finished."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.{os.urandom(4).hex()}{PARTIAL_SUFFIX}")
        self._stream = self._partial.open("xb")
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Take the next bytes. Raises: StoreError, when the disk has no room for them."""
        free_bytes = shutil.disk_usage(self._path.parent).free
        if free_bytes - len(data) < MIN_FREE_BYTES:
            raise StoreError(
                f"the disk of {self._path.parent} has {free_bytes / 2**30:.1f} GiB left, and an upload keeps "
                f"{MIN_FREE_BYTES / 2**30:.0f} GiB free; free some"
            )
        self._stream.write(data)
        self._digest.update(data)

    def finish(self, sha256: str) -> None:
        """Give the file its name, durably. Raises: WrongDigest."""
        found = self._digest.hexdigest()
        if found != sha256:
            raise WrongDigest(f"digest mismatch: expected sha256:{sha256}, got sha256:{found}")
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._partial.replace(self._path)
        sync_folder(self._path.parent)

    def close(self) -> None:
        """Delete what was not finished."""
        self._stream.close()
        self._partial.unlink(missing_ok=True)


class Uploads:
    """A folder of whole files. What is not whole lies there only while it is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, sha256: str) -> Path | None:
        """Return the file of that digest, None when there is none."""
        path = self._path(sha256)
        return path if path.is_file() else None

    def begin(self, sha256: str) -> Upload:
        """Return where to write a file; whoever begins it closes it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return Upload(self._path(sha256))

    def clean(self) -> int:
        """Delete everything and return the bytes freed. The daemon's, at its start: whoever sent it sends it again."""
        files = list(self._folder.iterdir()) if self._folder.is_dir() else []
        freed_bytes = sum(file.stat().st_size for file in files)
        for file in files:
            file.unlink()
        return freed_bytes

    def unused(self, before_s: float) -> list[Path]:
        """Return what nobody has written to since then."""
        files = self._folder.iterdir() if self._folder.is_dir() else ()
        return sorted(file for file in files if file.stat().st_mtime < before_s)

    def _path(self, sha256: str) -> Path:
        return self._folder / f"sha256-{sha256}"
