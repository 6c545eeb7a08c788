"""Which KV cells each sequence holds, as bookkeeping: a cell shared by several sequences counts once."""

from array import array

import numpy as np

_CELL = "i"
_CELL_TYPE = np.dtype(f"={_CELL}")


class CellTable:
    """Counts the owners of `num_cells` KV cells, so that free space is known exactly and without asking a library."""

    def __init__(self, num_cells: int, max_sequences: int) -> None:
        self._num_owners = np.zeros(num_cells, np.int32)
        self._free = array(_CELL, range(num_cells))
        self._cells = [array(_CELL) for _ in range(max_sequences)]

    def num_free(self) -> int:
        """Return how many cells no sequence holds."""
        return len(self._free)

    def length(self, sequence: int) -> int:
        """Return how many cells the sequence holds."""
        return len(self._cells[sequence])

    def append(self, sequence: int, num_cells: int) -> None:
        """Give the sequence so many free cells. The caller has checked that there are enough."""
        if num_cells == 1:  # a decode: plain integers cost a fraction of the arrays below
            cell = self._free.pop()
            self._num_owners[cell] = 1
            self._cells[sequence].append(cell)
            return
        taken = self._free[-num_cells:]
        del self._free[-num_cells:]
        self._num_owners[np.frombuffer(taken, _CELL_TYPE)] = 1
        self._cells[sequence].extend(taken)

    def share(self, source: int, target: int, num_cells: int) -> None:
        """Make the empty `target` hold the first cells of `source`, too."""
        shared = self._cells[source][:num_cells]
        self._num_owners[np.frombuffer(shared, _CELL_TYPE)] += 1
        self._cells[target].extend(shared)

    def truncate(self, sequence: int, num_cells: int) -> None:
        """Take every cell past the first `num_cells` from the sequence; those without another owner become free."""
        dropped = np.frombuffer(self._cells[sequence][num_cells:], _CELL_TYPE)
        del self._cells[sequence][num_cells:]
        self._num_owners[dropped] -= 1
        self._free.frombytes(dropped[self._num_owners[dropped] == 0].tobytes())

    def check_integrity(self) -> None:
        """Assert that owners and free cells agree with what the sequences hold."""
        held = np.zeros_like(self._num_owners)
        for cells in self._cells:
            np.add.at(held, np.frombuffer(cells, _CELL_TYPE), 1)
        assert np.array_equal(held, self._num_owners)
        assert sorted(self._free) == np.flatnonzero(held == 0).tolist()
