"""What echo answers: a pure function of the tokens so far, with noise that depends on every one of them."""

import numpy as np

from appliance.backends.base import LogitsArray
from appliance.backends.echo_tokenizer import IM_END, IM_START, NEWLINE
from appliance.backends.media_keys import begins_medium

_CLOSING_TOKENS = np.array(list(b']}"'), np.int32)
_CLOSING_SHARES = np.array([0.3, 0.4, 0.5], np.float32)
_OPENINGS = (list(b"<think>\n\n</think>\n\n"), list(b"<think>\n"))
_FACTOR = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def favoured_token(tokens: list[int]) -> int:
    """Return the token that greedy sampling shall find.

    In a chat it is the next token of the message before the answer, then the end of the turn. A text that is no chat
    is continued with its smallest period, without an end: `abc` becomes `abcabcabc`.
    """
    tokens = _in_words(tokens)
    answer = _last(tokens, IM_START, len(tokens))
    question = _last(tokens, IM_START, answer)
    if question < 0:
        return tokens[len(tokens) % smallest_period(tokens)]
    text = _body(tokens, question, answer)
    num_said = len(_without_opening(tokens[_body_start(tokens, answer, len(tokens)) :], text))
    return text[num_said] if num_said < len(text) else IM_END


def favour(row: LogitsArray, tokens: list[int], emphasis: float) -> None:
    """Raise the favoured token in a row of noise; where that is the end, also what closes a JSON text.

    A model whose grammar does not let it end yet is so brought to its end by short ways.
    """
    token = favoured_token(tokens)
    row[token] += emphasis
    if token == IM_END:
        row[_CLOSING_TOKENS] += _CLOSING_SHARES * np.float32(emphasis)


def smallest_period(tokens: list[int]) -> int:
    """Return the smallest p > 0 such that `tokens[i] == tokens[i - p]` for every i in `[p, len(tokens))`.

    Source: Knuth, Morris, Pratt, Fast pattern matching in strings, 1977 (the failure function).
    """
    borders = [0] * len(tokens)
    for end in range(1, len(tokens)):
        border = borders[end - 1]
        while border and tokens[end] != tokens[border]:
            border = borders[border - 1]
        borders[end] = border + (tokens[end] == tokens[border])
    return len(tokens) - borders[-1]


def prefix_digests(tokens: list[int]) -> list[int]:
    """Return a 64-bit digest of each prefix of the tokens, the shortest first."""
    digest, digests = 0, []
    for token in tokens:
        digest = ((digest ^ token) + 1) * _FACTOR & _MASK
        digest ^= digest >> 29
        digests.append(digest)
    return digests


def noise_row(row: LogitsArray, digest: int) -> None:
    """Fill `(vocab_size,) float32` with noise in [0, 1) that follows from the digest."""
    row[:] = np.random.Generator(np.random.PCG64(digest)).random(len(row), np.float32)


def _in_words(tokens: list[int]) -> list[int]:
    """Return the tokens with what can be said of each medium: its first key in hexadecimal digits."""
    if min(tokens) >= 0:
        return tokens
    words: list[int] = []
    for token in tokens:
        words += [token] if token >= 0 else b"%08x" % (token & 0xFFFFFFFF) if begins_medium(token) else ()
    return words


def _without_opening(said: list[int], text: list[int]) -> list[int]:
    """Return what was said behind the thinking that the template began, or began and ended."""
    for opening in _OPENINGS:
        if said[: len(opening)] == opening and text[: len(opening)] != opening:
            return said[len(opening) :]
    return said


def _last(tokens: list[int], token: int, end: int) -> int:
    """Return the last index of `token` in `[0, end)`, or -1."""
    return next((index for index in range(end - 1, -1, -1) if tokens[index] == token), -1)


def _body_start(tokens: list[int], turn: int, end: int) -> int:
    """Return where the text of a turn begins: after the line that names its role."""
    return next((index + 1 for index in range(turn, end) if tokens[index] == NEWLINE), end)


def _body(tokens: list[int], turn: int, end: int) -> list[int]:
    start = _body_start(tokens, turn, end)
    stop = next((index for index in range(start, end) if tokens[index] == IM_END), end)
    return tokens[start:stop]
