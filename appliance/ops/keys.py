"""The keys file: who may use this machine. Holds hashes only; a key itself is shown once, when it is made.

A line is `name scope hash [option=value …]`. Options: `weight` (the caller's share of the machine) and `header` (the
request header in which a trusted proxy names the caller).
"""

import fcntl
import hashlib
import hmac
import logging
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import msgspec

from appliance.core.admin import CreatedKey, KeyInfo
from appliance.core.caller import SCOPES, Scope
from appliance.errors import Conflict, InvalidRequest, KeyNotFound

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RESERVED_NAME = "local"
_SECRET_BYTES = 32
_Stamp = tuple[int, int, int]

logger = logging.getLogger(__name__)


class _Key(msgspec.Struct, frozen=True):
    info: KeyInfo
    digest: str


class KeyStore:
    """Owns the file. Reads it again when it changed, so that a key revoked by hand is refused at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: _Stamp | None = None
        self._keys: tuple[_Key, ...] = ()
        self._has_lines = False

    def is_empty(self) -> bool:
        """Return whether no key exists. A line that cannot be read counts as one: damage never opens the door."""
        self._reload()
        return not self._has_lines

    def infos(self) -> tuple[KeyInfo, ...]:
        """Return what may be shown of every key."""
        self._reload()
        return tuple(key.info for key in self._keys)

    def find(self, secret: str) -> KeyInfo | None:
        """Return the key that `secret` is, in a time that does not depend on how much of it is right."""
        self._reload()
        digest = digest_of(secret)
        found = [key.info for key in self._keys if hmac.compare_digest(key.digest, digest)]
        return found[0] if found else None

    def create(self, name: str, scope: Scope) -> CreatedKey:
        """Make a key and return it. Raises: InvalidRequest (the name), Conflict (it is taken)."""
        if not _NAME.fullmatch(name) or name == _RESERVED_NAME:
            raise InvalidRequest(f"{name!r} is no name for a key; use up to 64 of A-Z a-z 0-9 . _ -", param="name")
        secret = new_secret()
        with self._locked() as lines:
            if any(line.split(maxsplit=1)[:1] == [name] for line in lines):
                raise Conflict(f"a key named {name!r} exists; revoke it first or choose another name", param="name")
            self._write([*lines, f"{name} {scope} {digest_of(secret)}"])
        return CreatedKey(name=name, scope=scope, key=secret)

    def revoke(self, name: str) -> None:
        """Make a key invalid from now on. Raises: KeyNotFound."""
        with self._locked() as lines:
            kept = [line for line in lines if line.split(maxsplit=1)[:1] != [name]]
            if len(kept) == len(lines):
                raise KeyNotFound(f"no key is named {name!r}")
            self._write(kept)

    def _reload(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._keys, self._has_lines = None, (), False
            return
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp == self._stamp:
            return
        lines = [line for line in self._read() if line.strip() and not line.startswith("#")]
        parsed = [_parse(line) for line in lines]
        if None in parsed:
            logger.warning("%s: %d lines are not keys and are left out", self._path, parsed.count(None))
        self._keys = tuple(key for key in parsed if key is not None)
        self._stamp, self._has_lines = stamp, bool(lines)

    def _read(self) -> list[str]:
        try:
            return self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def _write(self, lines: list[str]) -> None:
        fresh = self._path.with_name(f".{self._path.name}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write("".join(f"{line}\n" for line in lines))
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(self._path)

    @contextmanager
    def _locked(self) -> Iterator[list[str]]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_name(f".{self._path.name}.lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield self._read()


def new_secret() -> str:
    """Return a new key."""
    return f"sk-{secrets.token_urlsafe(_SECRET_BYTES)}"


def digest_of(secret: str) -> str:
    """Return what is stored of a key. It has 256 random bits, so a fast hash is as safe as a slow one."""
    return "sha256:" + hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _parse(line: str) -> _Key | None:
    name, *rest = line.split()
    if len(rest) < 2 or rest[0] not in SCOPES or not rest[1].startswith("sha256:"):
        return None
    scope, digest, *options = rest
    if not all("=" in option for option in options):
        return None
    pairs = dict(option.split("=", 1) for option in options)
    return _Key(KeyInfo(name=name, scope=cast(Scope, scope), options=pairs), digest)
