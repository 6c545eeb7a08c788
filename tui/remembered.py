"""What the terminal remembers of a person from one time to the next, in a file of theirs."""

import contextlib
from pathlib import Path
from typing import Self

import msgspec

_FILE = "terminal.json"


class Remembered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Choices of a person; None where none was made."""

    theme: str | None = None
    chat_model: str | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return what was remembered; nothing where the file cannot be read, which is no reason to stop."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode((folder / _FILE).read_bytes(), type=cls)
        return cls()

    def changed(self, folder: Path, **changes: str | None) -> Self:
        """Return it with the changes, and write it down where that is possible."""
        changed = msgspec.structs.replace(self, **changes)
        if changed != self:
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                (folder / _FILE).write_bytes(msgspec.json.encode(changed))
        return changed
