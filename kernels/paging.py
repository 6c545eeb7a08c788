"""How the KV cache lies in memory: pages of 16 tokens, keys turned so that tokens are lanes.

As `f16`:

    keys     (num_pages, num_kv_heads, head_size, 16) float16    one load: one dimension of 16 tokens
    values   (num_pages, num_kv_heads, 16, head_size) float16    one load: 16 dimensions of one token

Scores of a page are then `head_size` multiply-adds of whole vectors, without a sum across lanes; so is what the values
add up to. Slot `s` is token `s % 16` of page `s // 16`. A page table has a row of page numbers for each sequence.

As `int8`, every 32 dimensions of a token's head share a float16 scale: x ≈ scale * code. Codes lie as the halves above,
and the scales of a page and head behind them, 16 tokens of the first 32 dimensions, then 16 of the next:

    keys     (num_pages, num_kv_heads, head_size + head_size / 16, 16) int8
             | dimension 0:  k0 k1 ... k15 |  ...  | last dimension: k0 ... k15 | s0 s1 ... s15 | ...
    values   (num_pages, num_kv_heads, 16 + 1, head_size) int8
             | token 0: v v v ...          |  ...  | token 15: v v v ...        | s0 s1 ... s15 | ...

Both kinds of scales take `head_size` bytes: a row of values, two rows of keys for each 32 dimensions. A scale belongs
to one token, so a token that is appended leaves those before it as they are, whoever else reads the page.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from .quantization import GROUP, FloatArray, HalfArray, quantize_weights
from .shape import Heads

PAGE = 16
"""Tokens of a page."""

KvType = Literal["f16", "int8"]
KV_TYPES: tuple[KvType, ...] = ("f16", "int8")

Pages = npt.NDArray[Any]
"""Keys or values, of either type: both are `(num_pages, num_kv_heads, rows, columns)`."""

_SCALE_BYTES = 2
_DTYPES: dict[KvType, Literal["float16", "int8"]] = {"f16": "float16", "int8": "int8"}
_VALUE_ROWS: dict[KvType, int] = {"f16": PAGE, "int8": PAGE + 1}


def step_name(kv_type: KvType) -> str:
    """Return the name of the compiled step that reads and writes such pages."""
    return f"step_{kv_type}"


class PageShape(NamedTuple):
    """What an array of pages has for each page and head."""

    rows: int
    columns: int
    dtype: Literal["float16", "int8"]


def key_shape(heads: Heads, kv_type: KvType) -> PageShape:
    """Return the shape of the keys of a page and head."""
    return PageShape(heads.size * _VALUE_ROWS[kv_type] // PAGE, PAGE, _DTYPES[kv_type])


def value_shape(heads: Heads, kv_type: KvType) -> PageShape:
    """Return the shape of the values of a page and head."""
    return PageShape(_VALUE_ROWS[kv_type], heads.size, _DTYPES[kv_type])


def token_bytes(heads: Heads, kv_type: KvType) -> int:
    """Return the bytes of one token's keys and values in one layer."""
    shapes = (key_shape(heads, kv_type), value_shape(heads, kv_type))
    return sum(heads.num_kv * rows * columns * np.dtype(dtype).itemsize // PAGE for rows, columns, dtype in shapes)


class Tokens(NamedTuple):
    """Views of pages in which tokens have an axis of their own: `(num_pages, num_kv_heads, 16, numbers of a token)`.

    `scales` has one for each 32 numbers, and none for numbers that need none.
    """

    numbers: npt.NDArray[Any]
    scales: HalfArray


def key_tokens(pages: Pages) -> Tokens:
    """Return the keys in pages, by token."""
    num_codes = pages.shape[2] if pages.dtype == np.float16 else pages.shape[2] * PAGE // _VALUE_ROWS["int8"]
    return Tokens(pages[:, :, :num_codes].swapaxes(2, 3), _scales(pages[:, :, num_codes:]))


def value_tokens(pages: Pages) -> Tokens:
    """Return the values in pages, by token."""
    return Tokens(pages[:, :, :PAGE], _scales(pages[:, :, PAGE:]))


def _scales(rows: npt.NDArray[Any]) -> HalfArray:
    num_pages, num_kv = rows.shape[:2]
    if not rows.size:
        return np.empty((num_pages, num_kv, PAGE, 0), np.float16)
    return rows.reshape(num_pages, num_kv, -1, PAGE * _SCALE_BYTES).view(np.float16).swapaxes(2, 3)


def read_tokens(tokens: Tokens, table: npt.NDArray[np.int32], num_tokens: int) -> FloatArray:
    """Return what the first tokens of a sequence whose pages are `table` stand for: `(num_tokens, num_kv, size)`."""
    numbers, scales = (part[table].swapaxes(1, 2).astype(np.float32) for part in tokens)
    if scales.size:
        numbers = numbers * np.repeat(scales, GROUP, axis=-1)
    return numbers.reshape(-1, *numbers.shape[2:])[:num_tokens]


def write_tokens(tokens: Tokens, slots: npt.NDArray[np.int32], content: FloatArray) -> None:
    """Write `(num_tokens, num_kv, size)` to slots: the nearest halves, or the codes that `quantize_weights` chooses."""
    pages, places = slots // PAGE, slots % PAGE
    if not tokens.scales.size:
        tokens.numbers[pages, :, places] = content
        return
    codes, scales = quantize_weights(content.reshape(-1, content.shape[-1]), 8)
    tokens.numbers[pages, :, places] = codes.reshape(content.shape)
    tokens.scales[pages, :, places] = scales.reshape(*content.shape[:2], -1)
