"""Reads the kernel's files under a root, within bounds: whatever stands there, nothing raises, blocks or floods.

Every probe reads through a `Tree`. What is absent is empty or None; what is there and cannot be read is a note.
"""

import errno
import os
import re
import stat
from itertools import islice
from pathlib import Path

MAX_FILE_BYTES = 256 * 1024
MAX_ENTRIES = 4096
MAX_CPUS = 8192  # what a kernel can be built for; a number past it is damage, and could fill the memory
_MAX_LINE_CHARACTERS = 200
_MAX_NOTES = 64
_MAX_LINKS = 40  # the kernel's own limit

# How the kernel says that there is nothing, or that a device does not have what this file is about.
_ABSENT = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ENODATA, errno.ENODEV, errno.ENXIO, errno.EOPNOTSUPP, errno.EINVAL, errno.ESRCH}
)
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


class Notes:
    """What could not be found out and why, in a user's words; each once, and not without end."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}

    def add(self, text: str) -> None:
        """Keep a note, made printable: what it quotes may be anything."""
        if len(self._texts) < _MAX_NOTES:
            self._texts[printable(text, max_characters=400)] = None

    def as_tuple(self) -> tuple[str, ...]:
        """Return the notes in the order in which they came."""
        return tuple(self._texts)


class Tree:
    """A machine's files under `root`, which stands for `/`. Paths are absolute inside it; links never lead out of it.

    `notes` receives what is there but cannot be read. Plain strings instead of `Path`, which is slow on a thousand.
    """

    def __init__(self, root: Path, notes: Notes) -> None:
        self.root = root
        self.notes = notes
        self._prefix = "" if root == Path("/") else str(root)

    def read_text(self, path: str, *, is_expected: bool = False, max_bytes: int = MAX_FILE_BYTES) -> str:
        """Return a file's text, at most `max_bytes` of it; empty where it cannot be read.

        Where `is_expected`, its absence is a note, too.
        """
        try:
            data = _read(self._locate(path), max_bytes + 1)
        except (OSError, ValueError) as error:
            self._note(path, error, is_expected)
            return ""
        if len(data) > max_bytes:
            self.notes.add(f"{path} is larger than {max_bytes // 1024} KiB: only its beginning was read")
        return data[:max_bytes].decode(errors="replace")

    def read_line(self, path: str) -> str | None:
        """Return the first line of a file, printable and without spaces around it; None where there is none."""
        return printable(self.read_text(path).strip().partition("\n")[0]) or None

    def read_int(self, path: str) -> int | None:
        """Return the number that a file holds; None where it is no number."""
        return parse_int(self.read_text(path))

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Return the names in a folder, sorted, at most `MAX_ENTRIES`; empty where it cannot be listed."""
        try:
            with os.scandir(self._locate(path)) as entries:
                names = [entry.name for entry in islice(entries, MAX_ENTRIES)]
        except (OSError, ValueError) as error:
            self._note(path, error, False)
            return ()
        return tuple(sorted(name for name in names if printable(name) == name))

    def exists(self, path: str) -> bool:
        """Return whether there is anything under this name."""
        try:
            return os.path.lexists(self._locate(path))
        except (OSError, ValueError):
            return False

    def link_name(self, path: str) -> str | None:
        """Return the last part of what a symbolic link points to, as `device/driver` names a driver."""
        try:
            folder, _, name = path.rstrip("/").rpartition("/")
            target = os.readlink(f"{self._locate(folder)}/{name}")  # noqa: PTH115  (plain text)
        except (OSError, ValueError):
            return None
        return printable(target.rstrip("/").rpartition("/")[2]) or None

    def resolve(self, path: str) -> str | None:
        """Return the path without symbolic links, as seen inside the tree; None where they go in a circle."""
        done: list[str] = []
        todo = path.split("/")[::-1]
        num_links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                del done[-1:]
            elif part not in ("", "."):
                try:
                    target = os.readlink("/".join((self._prefix, *done, part)))  # noqa: PTH115  (plain text)
                except (OSError, ValueError):  # no link, or not there
                    done.append(part)
                    continue
                num_links += 1
                if num_links > _MAX_LINKS:
                    return None
                if target.startswith("/"):
                    done.clear()
                todo.extend(target.split("/")[::-1])
        return "/" + "/".join(done)

    def _locate(self, path: str) -> str:
        if not self._prefix:
            return path or "/"
        resolved = self.resolve(path)
        if resolved is None:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return self._prefix + resolved

    def _note(self, path: str, error: OSError | ValueError, is_expected: bool) -> None:
        code = error.errno if isinstance(error, OSError) else errno.ENOENT
        if is_expected or code not in _ABSENT:
            self.notes.add(f"{path} cannot be read: {os.strerror(code or errno.EIO)}")


def parse_int(text: str) -> int | None:
    """Return the decimal number of at most 18 digits that the text is, spaces and NULs aside."""
    text = text.strip("\0 \t\r\n")
    return int(text) if _INTEGER.fullmatch(text) else None


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """Return the processors of a list such as `0-3,8`, sorted. What is no such list counts as none."""
    cpus: set[int] = set()
    for part in text.strip("\0 \t\r\n").split(","):
        first_text, dash, last_text = part.partition("-")
        first = parse_int(first_text)
        last = parse_int(last_text) if dash else first
        if first is not None and last is not None and 0 <= first <= last < MAX_CPUS:
            cpus.update(range(first, last + 1))
    return tuple(sorted(cpus))


def printable(text: str, *, max_characters: int = _MAX_LINE_CHARACTERS) -> str:
    """Return text as one line that harms no terminal: printable characters, single spaces, not too long."""
    kept = "".join(character if character.isprintable() else " " for character in text[: 4 * max_characters])
    return " ".join(kept.split())[:max_characters]


def _read(path: str, max_bytes: int) -> bytes:
    # Looked at before it is opened: opening a device can change it, and a FIFO could wait for ever.
    if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  (plain text)
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        chunks: list[bytes] = []
        remaining = max_bytes
        while remaining > 0 and (chunk := os.read(descriptor, remaining)):
            chunks.append(chunk)
            remaining -= len(chunk)
        return b"".join(chunks)
    finally:
        os.close(descriptor)
