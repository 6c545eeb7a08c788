"""The input of a batch: each line checked, and the order in which shared beginnings are computed once.

A line is read twice, when it is checked and when it is asked; between, some hundred bytes of it are remembered.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from appliance.core.batches import BatchEndpoint, BatchFault

MAX_LINES = 50_000
MAX_LINE_BYTES = 32 * 2**20
MAX_FAULTS = 100
"""So many faults are told; whoever made more wrong made the same mistake."""

_PIECE_CHARACTERS = 256
_NUM_PIECES = 16
_HASH_BYTES = 4


class BatchLine(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as OpenAI's batches have it."""

    custom_id: str
    method: str
    url: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a request stands in the file, and how it begins: equal beginnings have keys that begin alike."""

    number: int
    offset_bytes: int
    custom_id: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Input:
    """What a file holds. With faults nothing of it is asked."""

    entries: tuple[Entry, ...]
    faults: tuple[BatchFault, ...]


def read_input(path: Path, endpoint: BatchEndpoint) -> Input:
    """Check every line. Raises: OSError."""
    entries: list[Entry] = []
    faults: list[BatchFault] = []
    ids: set[str] = set()
    with path.open("rb") as stream:
        for number, offset_bytes, line in _lines(stream):
            if len(entries) >= MAX_LINES:
                faults.append(_fault("too_many_requests", f"a batch holds at most {MAX_LINES} requests", number))
                break
            try:
                entries.append(_checked(line, number, offset_bytes, endpoint, ids))
            except _Refused as refusal:
                faults.append(refusal.fault)
            if len(faults) >= MAX_FAULTS:
                break
    if not entries and not faults:
        faults.append(BatchFault(code="empty_file", message="the file holds no requests"))
    return Input(() if faults else tuple(entries), tuple(faults))


def in_order(entries: tuple[Entry, ...]) -> list[Entry]:
    """Return the entries so that those which begin alike stand together, each group where its first one stood."""
    first: dict[bytes, int] = {}
    for entry in entries:
        first.setdefault(entry.key[:_HASH_BYTES], entry.number)
    return sorted(entries, key=lambda entry: (first[entry.key[:_HASH_BYTES]], entry.key, entry.number))


def read_line(stream: BinaryIO, entry: Entry) -> BatchLine:
    """Return one request again. Raises: OSError."""
    stream.seek(entry.offset_bytes)
    return msgspec.json.decode(stream.readline(), type=BatchLine)


class _Refused(Exception):
    def __init__(self, fault: BatchFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def _lines(stream: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, offset and content of the lines that hold anything; of one that is too long, its beginning."""
    number = offset_bytes = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if line.strip():
            yield number, offset_bytes, line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES + 1)
            if not line:
                return
        offset_bytes = stream.tell()


def _checked(line: bytes, number: int, offset_bytes: int, endpoint: BatchEndpoint, ids: set[str]) -> Entry:
    if len(line) > MAX_LINE_BYTES:
        raise _Refused(_fault("line_too_long", f"the line is longer than {MAX_LINE_BYTES} bytes", number))
    try:
        request = msgspec.json.decode(line, type=BatchLine)
    except msgspec.ValidationError as error:
        raise _Refused(_fault("invalid_request", str(error).replace("`", "'"), number)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _Refused(_fault("invalid_json_line", f"the line is not valid JSON: {error}", number)) from None
    if request.custom_id in ids:
        message = f"the custom_id {request.custom_id[:80]!r} stands in an earlier line, too"
        raise _Refused(_fault("duplicate_custom_id", message, number, "custom_id"))
    if request.method.upper() != "POST":
        raise _Refused(_fault("invalid_method", f"the method is {request.method[:20]!r}, not 'POST'", number, "method"))
    if request.url != endpoint:
        message = f"the url is {request.url[:80]!r}, and the batch is for {endpoint!r}"
        raise _Refused(_fault("mismatched_endpoint", message, number, "url"))
    for name in ("stream", "background"):
        if request.body.get(name):
            message = f"a batch takes whole answers; leave {name!r} out"
            raise _Refused(_fault("invalid_request", message, number, f"body.{name}"))
    ids.add(request.custom_id)
    return Entry(number, offset_bytes, request.custom_id, _key_of(request.body))


def _fault(code: str, message: str, line: int, param: str | None = None) -> BatchFault:
    return BatchFault(code=code, message=message, line=line, param=param)


def _key_of(body: dict[str, Any]) -> bytes:
    """Return a hash for the model and for each longer beginning of what is said, in whole pieces."""
    said = body.get("messages", body.get("prompt", body.get("input", "")))
    text = msgspec.json.encode(said).decode()[: _PIECE_CHARACTERS * _NUM_PIECES]
    digest = blake2b(str(body.get("model")).encode(), digest_size=_HASH_BYTES)
    key = digest.digest()
    for start in range(0, len(text) - _PIECE_CHARACTERS + 1, _PIECE_CHARACTERS):
        digest.update(text[start : start + _PIECE_CHARACTERS].encode())
        key += digest.digest()
    return key
