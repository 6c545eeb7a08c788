"""How the bytes of a snapshot become fewer. Knows no files and no numbers: only that values have a width.

Keys and values hardly ever repeat, but their exponents are alike. So the bytes of all values are sorted by their place
in a value, which brings the exponents together, and a fast entropy coder takes the rest. Figures are in DESIGN.md.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import zstandard

ByteArray = npt.NDArray[np.uint8]

RAW = 0
"""In place of a width: the bytes are stored as they are."""

_WIDTHS_BYTES = (1, 2, 4)
_WORTHWHILE_RATIO = 0.9
_MAX_SAMPLE_BYTES = 2**22
_LEVEL = 1  # higher levels look for repetitions, of which there are none


class Damaged(Exception):
    """Bytes are not what was written. The message says how that shows."""


class Encoded(NamedTuple):
    """Bytes as they are stored, and the width of the values in them, or RAW."""

    width_bytes: int
    buffers: Sequence[memoryview]

    @property
    def num_bytes(self) -> int:
        """The size of all buffers together."""
        return sum(buffer.nbytes for buffer in self.buffers)


def choose_width(parts: Sequence[memoryview]) -> int:
    """Return the width with which these bytes become smallest, RAW where that gains too little."""
    sample = _joined(parts)[:_MAX_SAMPLE_BYTES]
    sizes = {width: len(_compress(sample, width)) for width in _WIDTHS_BYTES}
    best = min(sizes, key=lambda width: sizes[width])
    return best if sizes[best] < _WORTHWHILE_RATIO * sample.nbytes else RAW


def encode(parts: Sequence[memoryview], width_bytes: int) -> Encoded:
    """Return the parts as they are stored; raw bytes are not copied."""
    if width_bytes == RAW:
        return Encoded(RAW, [part.cast("B") for part in parts if part.nbytes])
    return Encoded(width_bytes, [memoryview(_compress(_joined(parts), width_bytes))])


def decode(stored: ByteArray, width_bytes: int, num_bytes: int) -> ByteArray:
    """Return the `num_bytes` that were encoded. Raises: Damaged."""
    if width_bytes == RAW:
        content = stored
    else:
        try:
            planes = zstandard.ZstdDecompressor().decompress(stored.data, max_output_size=num_bytes)
        except zstandard.ZstdError as error:
            raise Damaged(f"it does not decompress ({error})") from None
        content = _merge(np.frombuffer(planes, np.uint8), width_bytes)
    if content.nbytes != num_bytes:
        raise Damaged(f"it holds {content.nbytes} bytes instead of {num_bytes}")
    return content


def _joined(parts: Sequence[memoryview]) -> ByteArray:
    arrays = [np.frombuffer(part, np.uint8) for part in parts]
    return arrays[0] if len(arrays) == 1 else np.concatenate([np.empty(0, np.uint8), *arrays])


def _compress(content: ByteArray, width_bytes: int) -> bytes:
    return zstandard.ZstdCompressor(_LEVEL).compress(_split(content, width_bytes).data)


def _split(content: ByteArray, width_bytes: int) -> ByteArray:
    """Return first bytes of all values, then all second bytes, and so on; what is no whole value comes last."""
    num_values = content.nbytes // width_bytes
    planes = np.empty_like(content)
    for place in range(width_bytes):
        planes[place * num_values : (place + 1) * num_values] = content[place : num_values * width_bytes : width_bytes]
    planes[num_values * width_bytes :] = content[num_values * width_bytes :]
    return planes


def _merge(planes: ByteArray, width_bytes: int) -> ByteArray:
    """Undo `_split`."""
    num_values = planes.nbytes // width_bytes
    content = np.empty_like(planes)
    for place in range(width_bytes):
        content[place : num_values * width_bytes : width_bytes] = planes[place * num_values : (place + 1) * num_values]
    content[num_values * width_bytes :] = planes[num_values * width_bytes :]
    return content
