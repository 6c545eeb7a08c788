"""Pieces of a file: whoever fetches them in whatever order, every byte comes, and mostly once."""

from hypothesis import given
from hypothesis import strategies as st

from models.fetch.ranges import Ranges, add, missing
from models.fetch.work import Piece, Work, piece_bytes

SIZE = 200


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), max_size=60), st.integers(1, 50), st.integers(1, 10))
def test_whatever_the_connections_do_all_bytes_come_and_none_twice(
    steps: list[tuple[int, int]], max_piece: int, min_piece: int
) -> None:
    work = Work(((10, 90), (100, SIZE)), max_piece, min_piece)
    held: dict[int, Piece] = {}
    come: Ranges = ()
    num_come = 0

    def fetch(who: int, num_bytes: int) -> None:
        nonlocal come, num_come
        piece = held[who]
        num_bytes = min(num_bytes, piece.num_bytes)
        come, num_come = add(come, piece.at, piece.at + num_bytes), num_come + num_bytes
        work.move(piece, num_bytes)

    for who, num_bytes in steps:
        if who in held:
            fetch(who, num_bytes)
            work.release(held.pop(who))
        elif piece := work.take():
            held[who] = piece
    for who in list(held):
        fetch(who, SIZE)
        work.release(held.pop(who))
    while piece := work.take():
        held[0] = piece
        fetch(0, SIZE)
        work.release(piece)
    assert work.is_done
    assert missing(come, SIZE) == ((0, 10), (90, 100))
    assert num_come == 180


def test_pieces_come_in_the_order_of_the_file() -> None:
    work = Work(((0, 100),), 30, 10)
    pieces = [work.take() for _ in range(4)]
    assert [(piece.at, piece.end) for piece in pieces if piece] == [(0, 30), (30, 60), (60, 90), (90, 100)]


def test_the_last_piece_is_shared_with_a_connection_that_has_nothing_to_do() -> None:
    work = Work(((0, 100),), 100, 10)
    slow = work.take()
    assert slow is not None
    work.move(slow, 20)
    quick = work.take()
    assert quick is not None
    assert (slow.end, quick.at, quick.end) == (60, 60, 100)
    work.move(slow, 25)
    work.move(quick, 25)
    assert work.take() is None  # 15 bytes are left of each: not worth a request


def test_what_a_broken_connection_leaves_is_fetched_next() -> None:
    work = Work(((0, 100),), 50, 10)
    broken = work.take()
    assert broken is not None
    work.move(broken, 20)
    work.release(broken)
    again = work.take()
    assert again is not None
    assert (again.at, again.end) == (20, 50)


def test_pieces_are_a_few_for_each_connection_within_bounds() -> None:
    assert piece_bytes(5 * 2**30, 4, 2**20, 2**26) == 2**26
    assert piece_bytes(320 * 2**20, 4, 2**20, 2**26) == 10 * 2**20
    assert piece_bytes(10, 4, 2**20, 2**26) == 2**20
