"""Guesses how a sequence goes on from what it already said, and decides how long a guess is worth verifying.

Owns the n-grams of one sequence and how often its guesses came true. Knows nothing of logits, KV or other sequences:
the engine puts a draft behind the last token of a step and keeps what the sampler draws from the rows anyway.

Guesses are tested against every token that arrives, drafted or not, which costs a comparison and no forward pass. So
`acceptance` is known without drafting, text that does not repeat is left alone, and a repetition that begins late is
noticed within a few tokens: there is nothing to probe for.

Source: prompt lookup decoding (Saxena, 2023). That any draft leaves the distribution of the output as it was, and the
expected number of tokens: Leviathan, Kalman, Matias, "Fast Inference from Transformers via Speculative Decoding", 2023.
"""

from collections.abc import Callable

import numpy as np

from appliance.backends.base import TokenArray

MAX_DRAFT_TOKENS = 32  # over 16, a copy gains a sixth where a token costs a tenth of a step, 3 % where it costs 0.3
FIRST_DRAFT_TOKENS = 4  # little to lose where the predicted time of a step is still a guess
MIN_GAIN_RATIO = 1.05  # of tokens a second: the predicted times of two steps are not known more closely
MIN_ACCEPTANCE = 0.2  # below, a draft gains less than a quarter even where tokens beside the first cost nothing
_FIRST_ACCEPTANCE = 0.5
_LEARNING_RATE = 0.1  # forgets within ten guesses or so; half and double of it change tokens a second by under 5 %
_NGRAM_TOKENS = (3, 2)  # one token recurs by chance; four begin to copy later, and a match that lasts outgrows both
_TOKEN_BYTES = np.dtype(np.int32).itemsize


class Drafter:
    """Guesses how one sequence goes on: as it did after the latest earlier occurrence of its last few tokens.

    A guess that comes true is followed for as long as it does; only then are n-grams looked up again. They take some
    220 bytes a token, a fiftieth of the KV of a small model. Nothing is indexed before the first output token.
    """

    def __init__(self, tokens: TokenArray, num_tokens: int) -> None:
        """`tokens` is the whole buffer, `(max_tokens,) int32`: its owner writes later tokens into it."""
        self._tokens = tokens
        self._num_tokens = num_tokens
        self._source: int | None = None  # where the next token is expected to be copied from
        self._continuations: dict[bytes, int] = {}  # n-gram -> the position after its latest occurrence
        self._num_indexed = 0
        self._length_tokens = FIRST_DRAFT_TOKENS
        self._acceptance = _FIRST_ACCEPTANCE

    @property
    def acceptance(self) -> float:
        """The probability that a guessed token comes true if those before it did, from the latest guesses."""
        return self._acceptance

    @property
    def num_wanted(self) -> int:
        """How long a draft is promising now: 0 where there is nothing to copy, or where guesses failed lately."""
        return 0 if self._source is None or self._acceptance < MIN_ACCEPTANCE else self._length_tokens

    def extend(self, num_tokens: int) -> None:
        """Read on: the buffer now holds so many tokens. Tests the guess for each of them."""
        for position in range(self._num_tokens, num_tokens):
            self._look_up(position)
            if self._source is not None:
                is_right = bool(self._tokens[self._source] == self._tokens[position])
                self._acceptance += _LEARNING_RATE * (is_right - self._acceptance)
                self._source = self._source + 1 if is_right else None
        self._num_tokens = num_tokens
        self._look_up(num_tokens)

    def draft(self, max_tokens: int) -> TokenArray:
        """Return the guess, `(num_drafted,) int32`: `max_tokens`, or none. Goes round where it runs into itself."""
        if self._source is None:
            return self._tokens[:0]
        period = self._num_tokens - self._source
        return self._tokens[self._source + np.arange(max_tokens) % period]

    def note(self, num_drafted: int, num_accepted: int) -> None:
        """Learn what came of the last draft: the next may be longer if it was right, shorter if it mostly was not."""
        if num_accepted == num_drafted:
            if num_drafted >= self._length_tokens:
                self._length_tokens = min(2 * self._length_tokens, MAX_DRAFT_TOKENS)
        elif 2 * num_accepted < num_drafted:
            self._length_tokens = max(self._length_tokens // 2, FIRST_DRAFT_TOKENS)

    def _look_up(self, end: int) -> None:
        """Find what follows the last n-gram before `end`, unless a guess is being followed."""
        if self._source is not None:
            return
        self._index(end)
        for length in _NGRAM_TOKENS:
            if length < end:
                self._source = self._continuations.get(self._tokens[end - length : end].tobytes())
                if self._source is not None:
                    return

    def _index(self, end: int) -> None:
        """Take in the n-grams that end before `end`; of those there is a next token to guess."""
        start = max(self._num_indexed - max(_NGRAM_TOKENS), 0)
        raw = self._tokens[start:end].tobytes()
        for length in _NGRAM_TOKENS:
            ngram_bytes = length * _TOKEN_BYTES
            for position in range(max(self._num_indexed, length), end):
                stop = (position - start) * _TOKEN_BYTES
                self._continuations[raw[stop - ngram_bytes : stop]] = position
        self._num_indexed = end


def worthwhile_tokens(wanted: int, acceptance: float, step_s: Callable[[int], float], other_tokens: int) -> int:
    """Return how many tokens to draft, at most `wanted`, so that the whole step makes the most tokens a second.

    `step_s(k)` predicts how long the step takes with k drafted tokens in addition to what is planned; `other_tokens`
    are what other sequences are expected to make in it, since they wait for the draft, too. A draft of k is expected
    to make 1 + a + a^2 + ... + a^k tokens with the acceptance a. Returns 0 where nothing gains `MIN_GAIN_RATIO`.
    """
    best_draft, best_tokens, best_s = 0, MIN_GAIN_RATIO * (1 + other_tokens), step_s(0)
    tokens = 1.0 + other_tokens
    for num_drafted in range(1, wanted + 1):
        tokens += acceptance**num_drafted
        duration_s = step_s(num_drafted)
        if tokens * best_s > best_tokens * duration_s:
            best_draft, best_tokens, best_s = num_drafted, tokens, duration_s
    return best_draft
