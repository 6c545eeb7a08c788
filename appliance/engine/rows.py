"""What can be learnt of one row of logits in one pass: its largest entries and its log-sum-exp.

A row has up to a few hundred thousand entries, so nothing here sorts it whole. A row seen as `(height, width)` is
reduced along `height`, which numpy does with vector instructions at the speed of memory: column `c` is the block of the
entries `c, c + width, c + 2 width, ...`. The k largest entries lie in the k blocks whose maxima are largest, because
each of those maxima is itself an entry at least as large as any entry of the other blocks.
"""

import math

import numpy as np
import numpy.typing as npt

from appliance.backends.base import LogitsArray
from appliance.errors import BackendError

IdArray = npt.NDArray[np.intp]

_BLOCK_HEIGHTS = (64, 16, 4, 1)
_CHUNK_ENTRIES = 32_768
_LOWEST_FINITE = np.finfo(np.float32).min


def greatest(row: LogitsArray) -> tuple[int, float]:
    """Return the first id with the largest logit, and that logit. Raises: BackendError when it is not finite."""
    token = int(row.argmax())
    return token, finite(float(row[token]))


def finite(maximum: float) -> float:
    """Return the maximum of a row. Raises: BackendError when nothing can be drawn from such a row."""
    if math.isfinite(maximum):
        return maximum
    if maximum == -math.inf:
        raise BackendError("no token is left to choose from: every logit is -inf; loosen what is banned or biased")
    raise BackendError(f"the model computed a logit that is {maximum}; its file or its quantization may be damaged")


def largest(row: LogitsArray, count: int) -> tuple[IdArray, LogitsArray]:
    """Return ids and logits of the `count` largest entries, the largest first and among equals the lower id first.

    Entries of -inf are left out, so fewer than `count` can come back. Raises: BackendError as `finite` does.
    """
    height = next((h for h in _BLOCK_HEIGHTS if row.size // h >= 2 * count), 1)
    blocks, tail, maxima = _blocks(row, height)
    excess = maxima.size - count
    threshold = float(np.partition(maxima, excess)[excess]) if excess > 0 else -math.inf
    ids, values = by_likelihood(row, _at_least(blocks, tail, maxima, threshold))
    return ids[:count], values[:count]


def at_least(row: LogitsArray, margin: float) -> tuple[IdArray, LogitsArray]:
    """Return ids and logits of all entries no further than `margin` below the largest, in the order of `largest`."""
    blocks, tail, maxima = _blocks(row, _BLOCK_HEIGHTS[0])
    return by_likelihood(row, _at_least(blocks, tail, maxima, _maximum(maxima, tail) - margin))


def by_likelihood(row: LogitsArray, ids: IdArray) -> tuple[IdArray, LogitsArray]:
    """Return ascending ids and their logits in the order of `largest`."""
    values = row[ids]
    order = np.argsort(-values, kind="stable")
    return ids[order], values[order]


def log_sum_exp(row: LogitsArray) -> float:
    """Return the logarithm of the sum of the exponentials: a logit minus it is that token's log-probability.

    Raises: BackendError as `finite` does.
    """
    maximum = finite(float(row.max()))
    sums = np.zeros(min(row.size, _CHUNK_ENTRIES), np.float32)
    terms = np.empty_like(sums)
    for start in range(0, row.size, sums.size):
        chunk = row[start : start + sums.size]
        part = terms[: chunk.size]
        np.subtract(chunk, maximum, out=part)
        np.exp(part, out=part)
        sums[: chunk.size] += part
    return maximum + math.log(float(sums.sum(dtype=np.float64)))


def column_blocks(row: LogitsArray, height: int = _BLOCK_HEIGHTS[0]) -> tuple[LogitsArray, LogitsArray]:
    """Return the row as `(height, width)` blocks, one a column, and the fewer than `height` entries left over."""
    width = row.size // height
    return row[: width * height].reshape(height, width), row[width * height :]


def _blocks(row: LogitsArray, height: int) -> tuple[LogitsArray, LogitsArray, LogitsArray]:
    blocks, tail = column_blocks(row, height)
    maxima = blocks.max(axis=0)
    finite(_maximum(maxima, tail))
    return blocks, tail, maxima


def _maximum(maxima: LogitsArray, tail: LogitsArray) -> float:
    both = [float(part.max()) for part in (maxima, tail) if part.size]
    return math.nan if any(map(math.isnan, both)) else max(both)


def _at_least(blocks: LogitsArray, tail: LogitsArray, maxima: LogitsArray, threshold: float) -> IdArray:
    # A block whose maximum is -inf would otherwise bring its 64 entries along when most of the row is banned.
    threshold = max(threshold, float(_LOWEST_FINITE))
    columns = np.flatnonzero(maxima >= threshold)
    if 8 * columns.size < maxima.size:
        flat = np.flatnonzero(blocks.take(columns, axis=1) >= threshold)
        line, column = np.divmod(flat, columns.size)
        ids = line * maxima.size + columns[column]
    else:
        ids = np.flatnonzero(blocks.reshape(-1) >= threshold)
    if not tail.size:
        return ids
    return np.concatenate((ids, np.flatnonzero(tail >= threshold) + blocks.size))
