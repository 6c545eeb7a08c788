"""What stands for a medium wherever prompts are compared: numbers that follow from its bytes, one for each token.

They are negative, so that no token is ever taken for one, and the first of a medium lies in a range of its own: from
the numbers alone it can be told where a medium begins, and no prefix is cut inside of one. Thirty bits of each are the
digest's, so two media of a few tokens already differ for certain.
"""

from hashlib import shake_256

import numpy as np

from appliance.backends.base import TokenArray

_BITS = 30
_WITHIN = -(1 << _BITS)  # keys in [_WITHIN, 0) follow another of the same medium, those below begin one
MIN_TOKENS = 4
"""A medium of fewer is not told from every other by its keys alone."""


def media_keys(digest: str, part: int, num_tokens: int) -> TokenArray:
    """Return `(num_tokens,) int32` for one part of a medium with that digest."""
    noise = np.frombuffer(shake_256(f"{digest}/{part}".encode()).digest(4 * num_tokens), "<u4")
    keys: TokenArray = (noise & ((1 << _BITS) - 1)).astype(np.int32) + np.int32(_WITHIN)
    keys[0] += _WITHIN
    return keys


def text_tokens(tokens: TokenArray) -> TokenArray:
    """Return the tokens without what stands for media."""
    words: TokenArray = tokens[tokens >= 0]
    return words


def begin_of_medium(tokens: TokenArray, position: int) -> int:
    """Return `position`, or where the medium begins that a cut there would take apart."""
    if not 0 < position < len(tokens) or not _is_within(int(tokens[position])):
        return position
    before = tokens[:position]
    return int(np.flatnonzero((before >= 0) | (before < _WITHIN))[-1])


def end_of_medium(tokens: TokenArray, position: int) -> int:
    """Return `position`, or where the medium ends that a cut there would take apart."""
    while position < len(tokens) and _is_within(int(tokens[position])):
        position += 1
    return position


def begins_medium(key: int) -> bool:
    """Return whether a medium begins there."""
    return key < _WITHIN


def _is_within(key: int) -> bool:
    return key in range(_WITHIN, 0)
