"""Read the small JSON files that lie beside a model. They come from anywhere, so nothing in them is believed."""

from pathlib import Path
from typing import TypeVar

import msgspec

MAX_BYTES = 64 * 2**20
"""Longer than any configuration; a tokenizer is read elsewhere."""

T = TypeVar("T")


def read_json_file(path: Path, kind: type[T]) -> T | None:
    """Return what the file says; None where there is none, or it is too long, too deep or of another form."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
