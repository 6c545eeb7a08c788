import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engine.detokenize import Detokenizer


class BytesOfNumbers:
    """Each distinct byte string gets the next token number."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def token_bytes(self, token: int) -> bytes:
        return self.pieces[token]


def texts_of(*pieces: bytes) -> list[str]:
    detokenizer = Detokenizer(BytesOfNumbers(list(pieces)))
    return [*(detokenizer.feed(token) for token in range(len(pieces))), detokenizer.flush()]


def test_a_character_comes_out_with_its_last_byte() -> None:
    assert texts_of(b"a\xf0\x9f", b"\x98", b"\x80b") == ["a", "", "\U0001f600b", ""]


def test_a_control_token_that_is_shown_gives_its_name() -> None:
    detokenizer = Detokenizer(BytesOfNumbers([b"", b"", b"a"]), {1: b"<call>"})
    assert [detokenizer.feed(token) for token in range(3)] == ["", "<call>", "a"]


def test_a_control_token_gives_no_text_and_breaks_no_character() -> None:
    assert texts_of(b"\xc3", b"", b"\xa9") == ["", "", "é", ""]


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (b"\xff", b"", "\ufffd"),
        (b"\xc3", b"x", "\ufffdx"),
        (b"\xe0", b"\x80", "\ufffd\ufffd"),
        (b"\xc0", b"", "\ufffd"),
    ],
)
def test_bytes_that_cannot_be_text_are_replaced_at_once(first: bytes, second: bytes, text: str) -> None:
    *fed, flushed = texts_of(first, second)
    assert "".join(fed) == text
    assert flushed == ""


def test_an_unfinished_character_is_replaced_at_the_end() -> None:
    assert texts_of(b"ok\xe2\x82") == ["ok", "\ufffd"]


@given(st.lists(st.one_of(st.binary(max_size=4), st.text(max_size=3).map(str.encode))))
def test_the_pieces_add_up_to_the_text_of_all_bytes(pieces: list[bytes]) -> None:
    assert "".join(texts_of(*pieces)) == b"".join(pieces).decode("utf-8", "replace")
