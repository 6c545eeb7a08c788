"""Who fetches which bytes: pieces of a file, handed out from its beginning to its end, and shared when few are left.

Pure bookkeeping: no thread, no lock, no connection. In order, so that the digest can be computed closely behind.
"""

from collections import deque
from dataclasses import dataclass

from models.fetch.ranges import Range, Ranges


@dataclass(slots=True, eq=False)
class Piece:
    """What one connection fetches: `[at, end)`. `end` comes nearer when another connection takes the rest of it."""

    at: int
    end: int

    @property
    def num_bytes(self) -> int:
        """Return what is left of it."""
        return self.end - self.at


def piece_bytes(size_bytes: int, num_connections: int, min_bytes: int, max_bytes: int) -> int:
    """Return how large pieces should be: a few for each connection, but none that is not worth a request."""
    return max(min_bytes, min(max_bytes, size_bytes // (8 * num_connections)))


class Work:
    """The pieces of one file. `take` before fetching; `move` with every byte; `release` at the end, whatever it is."""

    def __init__(self, gaps: Ranges, max_piece_bytes: int, min_piece_bytes: int) -> None:
        self._waiting: deque[Range] = deque(gaps)
        self._max_piece_bytes = max_piece_bytes
        self._min_piece_bytes = min_piece_bytes
        self._taken: list[Piece] = []

    @property
    def is_done(self) -> bool:
        """Return whether every byte has come."""
        return not self._waiting and not self._taken

    def take(self) -> Piece | None:
        """Return what to fetch next, None where nothing is left to begin or worth to be shared."""
        if self._waiting:
            start, end = self._waiting.popleft()
            cut = min(end, start + self._max_piece_bytes)
            if cut < end:
                self._waiting.appendleft((cut, end))
            return self._hand_out(start, cut)
        longest = max(self._taken, key=lambda piece: piece.num_bytes, default=None)
        if longest is None or longest.num_bytes < 2 * self._min_piece_bytes:
            return None
        middle, end = longest.at + longest.num_bytes // 2, longest.end
        longest.end = middle
        return self._hand_out(middle, end)

    def move(self, piece: Piece, num_bytes: int) -> None:
        """Note that so many bytes of a piece came."""
        piece.at += num_bytes

    def release(self, piece: Piece) -> None:
        """Give a piece back; what is left of it is fetched next."""
        self._taken.remove(piece)
        if piece.num_bytes > 0:
            self._waiting.appendleft((piece.at, piece.end))

    def _hand_out(self, start: int, end: int) -> Piece:
        piece = Piece(start, end)
        self._taken.append(piece)
        return piece
