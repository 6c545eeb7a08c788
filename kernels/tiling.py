"""How the tokens of a step are cut into the tiles of attention. NumPy only: it runs before every step."""

import numpy as np
import numpy.typing as npt

from .shape import Heads

MAX_ROWS = 32
"""Query heads times tokens that go through the keys together."""


def tile_tokens(heads: Heads) -> int:
    """Return the tokens of a full tile: a power of two, as many as give `MAX_ROWS` rows at most."""
    return 1 << max(0, (MAX_ROWS // heads.group).bit_length() - 1)


def tiles_of(runs: npt.NDArray[np.int32], height: int, num_threads: int = 1) -> npt.NDArray[np.int32]:
    """Return `(num_tiles, 2) int32` for runs of so many neighbouring tokens: first token, and 1 for a full tile.

    Threads take equal shares of the list, and later tiles of a prompt see more context: so the tiles are dealt out in
    turns, like cards.
    """
    tiles: list[tuple[int, int]] = []
    first = 0
    for length in runs.tolist():
        full_end = first + length // height * height
        tiles += [(token, 1) for token in range(first, full_end, height)]
        tiles += [(token, 0) for token in range(full_end, first + length)]
        first += length
    dealt = [tile for thread in range(num_threads) for tile in tiles[thread::num_threads]]
    return np.array(dealt, np.int32).reshape(-1, 2)
