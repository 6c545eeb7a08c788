"""The digests of a file, computed from its beginning on, a little behind its last byte."""

import hashlib

from models.sources.base import RemoteFile


class WrongContent(Exception):
    """What came is not what the source said would come."""


class Digests:
    """Takes all bytes of a file in their order."""

    def __init__(self, file: RemoteFile, size_bytes: int | None) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self._git = None
        if file.git_sha1 is not None and size_bytes is not None:
            # Git's own name of a file: the digest of a short header and the content; no protection, as sha256 is
            self._git = hashlib.sha1(b"blob %d\0" % size_bytes, usedforsecurity=False)

    def update(self, data: memoryview) -> None:
        """Take the next bytes."""
        self._sha256.update(data)
        if self._git is not None:
            self._git.update(data)

    def check(self) -> str:
        """Return the file's sha256. Raises: WrongContent."""
        found = self._sha256.hexdigest()
        if self._file.sha256 is not None and found != self._file.sha256:
            raise WrongContent(f"its sha256 is {found}, and the source says {self._file.sha256}")
        if self._git is not None and self._git.hexdigest() != self._file.git_sha1:
            raise WrongContent(
                f"its digest in git is {self._git.hexdigest()}, and the source says {self._file.git_sha1}"
            )
        return found
