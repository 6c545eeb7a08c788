"""A picture that a caller has sent before, as one of their files."""

import asyncio

from appliance.errors import InvalidRequest, StorageError
from appliance.service.files.files import Files

_PURPOSES = ("vision", "user_data", "assistants")


class PictureFiles:
    """Reads the files that may be shown to a model, each up to a length."""

    def __init__(self, files: Files, max_bytes: int) -> None:
        self._files = files
        self._max_bytes = max_bytes

    async def read(self, owner: str, file_id: str, param: str) -> bytes:
        """Return what a file holds. Raises: FileNotFound, InvalidRequest, StorageError."""
        file = await self._files.get(owner, file_id)
        if file.purpose not in _PURPOSES:
            known = ", ".join(_PURPOSES)
            raise InvalidRequest(
                f"'{param}': file {file_id!r} was sent for {file.purpose!r}; pictures are sent for one of {known}",
                param=param,
            )
        if file.size_bytes > self._max_bytes:
            raise InvalidRequest(
                f"'{param}': file {file_id!r} is longer than {self._max_bytes} bytes, which is media.max_bytes",
                param=param,
            )
        try:
            return await asyncio.to_thread(self._files.path_of(file.id).read_bytes)
        except OSError as error:  # it may just have been deleted
            raise StorageError(f"file {file_id!r} could not be read: {error.strerror}") from error
