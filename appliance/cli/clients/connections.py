"""What was written into clients' files and what stood there before. Owns `connections/` in the home.

Every write keeps the bytes that it replaces, and `undo` puts them back; the newest write goes first.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

_RECORD = "record.json"
_NEW_FILE_MODE = 0o600  # a file with a key in it is nobody else's
_FOLDER_MODE = 0o700


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One write. `backup` names the file with what was there, None where nothing was.

    `key_name` is a key that was made for the client, `made_folder` whether the file's folder was made, too. Without a
    `path` nothing was written: the key was told to a person, who entered it.
    """

    path: str | None = None
    digest: str = ""
    backup: str | None = None
    key_name: str | None = None
    made_folder: bool = False


class ChangedSince(Exception):
    """The client's file is not as it was written; to put the old one back would lose something."""


@dataclass(frozen=True, slots=True)
class Written:
    """Where the file is and where what it held before lies, None where there was no file.

    `former_key` names the key that stands nowhere any more.
    """

    path: Path
    backup: Path | None
    former_key: str | None


class Connections:
    """The writes to all clients' files. Raises OSError, with the path."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "connections"

    def changes(self, client: str) -> tuple[Change, ...]:
        """Return what was written for a client and not undone, the oldest first."""
        try:
            content = (self._folder / client / _RECORD).read_bytes()
        except FileNotFoundError:
            return ()
        return msgspec.json.decode(content, type=tuple[Change, ...])

    def write(self, client: str, path: Path, text: str, key_name: str | None) -> Written:
        """Put `text` into the file at `path`; a link stays a link."""
        path = path.resolve()
        changes, before, content = list(self.changes(client)), _read(path), text.encode()
        last, former_key = changes[-1] if changes else None, None
        if last and last.path == str(path) and before is not None and last.digest == _digest(before):
            changes.pop()  # nobody touched it since: what stood there before us is still what to go back to
            backup, made_folder, former_key = last.backup, last.made_folder, last.key_name
        else:
            backup = None if before is None else self._keep(client, path, before)
            made_folder = not path.parent.exists()
        changes.append(
            Change(path=str(path), digest=_digest(content), backup=backup, key_name=key_name, made_folder=made_folder)
        )
        self._record(client, changes)
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
        return Written(path, None if backup is None else self._folder / client / backup, former_key)

    def note_key(self, client: str, key_name: str) -> str | None:
        """Remember a key that a person enters by hand, and return the name of the one whose place it takes."""
        *older, last = self.changes(client) or (None,)
        is_by_hand = last is not None and last.path is None
        kept = older if is_by_hand else [*older, last]
        self._record(client, [*(one for one in kept if one is not None), Change(key_name=key_name)])
        return last.key_name if last is not None and is_by_hand else None

    def undo(self, client: str, *, is_forced: bool) -> Change | None:
        """Put back what the newest write replaced and return it, None where there is none. Raises: ChangedSince.

        Forced, it goes back also where the file was changed since; what it held is then kept beside the backups.
        """
        *older, change = self.changes(client) or (None,)
        if change is None:
            return None
        rest = [one for one in older if one is not None]
        if change.path is None:
            self._record(client, rest)
            return change
        path = Path(change.path)
        now = _read(path)
        if now is None or _digest(now) != change.digest:
            if not is_forced:
                raise ChangedSince(change.path)
            if now is not None:
                self._keep(client, path, now)
        if change.backup is None:
            path.unlink(missing_ok=True)
            if change.made_folder and path.parent.exists() and not any(path.parent.iterdir()):
                path.parent.rmdir()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, (self._folder / client / change.backup).read_bytes())
        self._record(client, rest)
        return change

    def _keep(self, client: str, path: Path, content: bytes) -> str:
        folder = self._made(client)
        number = 1 + sum(1 for _ in folder.glob("*.before"))
        name = f"{number}-{path.name}.before"
        _replace(folder / name, content)
        return name

    def _record(self, client: str, changes: list[Change]) -> None:
        _replace(self._made(client) / _RECORD, msgspec.json.encode(changes))

    def _made(self, client: str) -> Path:
        folder = self._folder / client
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        return folder


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _replace(path: Path, content: bytes) -> None:
    """Write all of a file or nothing of it; it keeps the mode that it has."""
    mode = path.stat().st_mode & 0o777 if path.exists() else _NEW_FILE_MODE
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise
