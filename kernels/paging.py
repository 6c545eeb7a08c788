"""How the KV cache lies in memory: pages of 16 tokens, keys turned so that tokens are lanes.

    keys     (num_pages, num_kv_heads, head_size, 16) float16    one load: one dimension of 16 tokens
    values   (num_pages, num_kv_heads, 16, head_size) float16    one load: 16 dimensions of one token

Scores of a page are then `head_size` multiply-adds of whole vectors, without a sum across lanes; so is what the values
add up to. Slot `s` is token `s % 16` of page `s // 16`. A page table has a row of page numbers for each sequence.
"""

import numpy as np
import numpy.typing as npt

PAGE = 16
"""Tokens of a page."""

KeyPages = npt.NDArray[np.float16]
ValuePages = npt.NDArray[np.float16]


def keys_of(pages: KeyPages, table: npt.NDArray[np.int32], num_tokens: int) -> npt.NDArray[np.float16]:
    """Return the first keys of a sequence whose pages are `table`, `(num_tokens, num_kv_heads, head_size)`."""
    num_kv_heads, head_size = pages.shape[1:3]
    return pages[table].transpose(0, 3, 1, 2).reshape(-1, num_kv_heads, head_size)[:num_tokens]


def values_of(pages: ValuePages, table: npt.NDArray[np.int32], num_tokens: int) -> npt.NDArray[np.float16]:
    """Return the first values of a sequence, `(num_tokens, num_kv_heads, head_size)`."""
    num_kv_heads, head_size = pages.shape[1], pages.shape[3]
    return pages[table].transpose(0, 2, 1, 3).reshape(-1, num_kv_heads, head_size)[:num_tokens]
