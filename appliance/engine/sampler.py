"""Draws the next token of one sequence from a row of logits.

The row comes straight from the backend and is used once, so biases, penalties and bans are written into it. Most
filters keep a few hundred candidates of a vocabulary of 150,000: all but `typical_p` find those first and never sort
the row. Log-probabilities are taken from the row before it comes here.
"""

import math

import numpy as np

from appliance.backends.base import LogitsArray, TokenArray
from appliance.core.sampling import SamplingParams
from appliance.errors import InvalidRequest

from .filters import WeightArray, keep_min_p, keep_top_p, nucleus_size, pick, typical
from .rows import IdArray, at_least, by_likelihood, column_blocks, greatest, largest

_COLDEST = 1e-6
_NUCLEUS_TOKENS = 256
_SEED_MASK = 2**64 - 1
_NO_TOKENS = np.empty(0, np.int32)


class Scratch:
    """A whole distribution in memory made once per vocabulary, shared by the samplers of one thread."""

    def __init__(self, vocab_size: int) -> None:
        self._weights = np.empty(vocab_size, np.float32)
        self._masked = np.empty(vocab_size, np.float32)
        self._sums = np.empty(0, np.float32)

    def fill(self, row: LogitsArray, maximum: float, inverse_temperature: float) -> float:
        """Take in the distribution of a row, whose likeliest token gets weight 1; return the sum of the weights."""
        np.subtract(row, maximum, out=self._weights)
        if inverse_temperature != 1:
            np.multiply(self._weights, inverse_temperature, out=self._weights)
        np.exp(self._weights, out=self._weights)
        self._sums = _block_sums(self._weights)
        return float(self._sums.sum(dtype=np.float64))

    def draw(self, random: np.random.Generator) -> int:
        """Return a token drawn from the distribution: first a block, then an entry of it."""
        blocks, tail = column_blocks(self._weights)
        block = pick(self._sums, random.random())
        if block < blocks.shape[1]:
            return block + pick(blocks[:, block], random.random()) * int(blocks.shape[1])
        return blocks.size + pick(tail, random.random())

    def mass_before(self, token: int) -> float:
        """Return the weight of all tokens that are likelier, or as likely with a lower id."""
        weight = self._weights[token]
        np.multiply(self._weights, self._weights > weight, out=self._masked)
        num_equals = np.count_nonzero(self._weights[:token] == weight)
        return float(_block_sums(self._masked).sum(dtype=np.float64)) + float(weight) * num_equals


def _block_sums(weights: LogitsArray) -> LogitsArray:
    blocks, tail = column_blocks(weights)
    return np.append(blocks.sum(axis=0), tail.sum())


class Sampler:
    """Chooses the tokens of one sequence (one choice of a request) and remembers them for the penalties.

    `prompt_tail` ends the prompt (its last `repeat_window_tokens` are enough); `banned` tokens are never chosen.
    Raises: InvalidRequest when `logit_bias` names a token outside the vocabulary.
    """

    def __init__(
        self,
        params: SamplingParams,
        vocab_size: int,
        choice: int,
        scratch: Scratch,
        prompt_tail: TokenArray,
        banned: TokenArray = _NO_TOKENS,
    ) -> None:
        self._params = params
        self._scratch = scratch
        self._banned = banned
        self._bias_ids, self._bias = _checked_bias(params.logit_bias, vocab_size)
        self._inverse_temperature = 1.0 / max(params.temperature, _COLDEST)
        self._window = np.asarray(prompt_tail[-params.repeat_window_tokens :], np.int32)
        self._generated: dict[int, int] = {}
        self._generated_ids = np.empty(64, np.int32)
        self._generated_counts = np.zeros(64, np.float32)
        seed = None if params.seed is None else (params.seed & _SEED_MASK, choice)
        self._random = np.random.default_rng(seed)

    @property
    def writes_row(self) -> bool:
        """Whether `sample` changes the row it draws from."""
        return bool(self._bias_ids.size or self._banned.size or self._params.repeat_penalty != 1 or self._generated)

    def sample(self, row: LogitsArray) -> int:
        """Return the next token; `row` is `(vocab_size,) float32` and may be changed. Raises: BackendError."""
        self._adjust(row)
        params = self._params
        if params.temperature < _COLDEST:
            return greatest(row)[0]
        if params.top_k == 0 and params.typical_p >= 1 and params.min_p == 0:
            return self._draw_from_all(row)
        ids, weights = self._candidates(row)
        return int(ids[pick(weights, self._random.random())])

    def accept(self, token: int) -> None:
        """Count a token of the output, whether it was sampled here or forced."""
        params = self._params
        if params.repeat_penalty != 1:
            self._window = np.append(self._window, np.int32(token))[-params.repeat_window_tokens :]
        if params.presence_penalty or params.frequency_penalty:
            self._count(token)

    def _count(self, token: int) -> None:
        place = self._generated.setdefault(token, len(self._generated))
        if place == self._generated_ids.size:
            self._generated_ids = np.concatenate((self._generated_ids, np.empty_like(self._generated_ids)))
            self._generated_counts = np.concatenate((self._generated_counts, np.zeros_like(self._generated_counts)))
        self._generated_ids[place] = token
        self._generated_counts[place] += 1

    def _adjust(self, row: LogitsArray) -> None:
        """Write what depends on single tokens into the row. Only the tokens concerned are touched."""
        params = self._params
        if self._bias_ids.size:
            row[self._bias_ids] += self._bias
        if params.repeat_penalty != 1 and self._window.size:
            seen = row[self._window]
            row[self._window] = np.where(seen > 0, seen / params.repeat_penalty, seen * params.repeat_penalty)
        if self._generated:
            count = len(self._generated)
            ids, counts = self._generated_ids[:count], self._generated_counts[:count]
            row[ids] -= params.presence_penalty + params.frequency_penalty * counts
        if self._banned.size:
            row[self._banned] = -np.inf

    def _draw_from_all(self, row: LogitsArray) -> int:
        """Draw with no filter but `top_p`."""
        scratch, top_p = self._scratch, self._params.top_p
        if top_p >= 1:
            scratch.fill(row, greatest(row)[1], self._inverse_temperature)
            return scratch.draw(self._random)
        ids, values = largest(row, _NUCLEUS_TOKENS)
        mass = top_p * scratch.fill(row, float(values[0]), self._inverse_temperature)
        weights = np.exp(self._scores(values, float(values[0])))
        size = nucleus_size(weights, mass)
        if size <= ids.size or ids.size < _NUCLEUS_TOKENS:
            return int(ids[pick(weights[:size], self._random.random())])
        # The nucleus is wider than the candidates. Rather than sort the row, draw from all of it until a token of the
        # nucleus comes up: the same distribution, after 1 / top_p draws on average.
        while True:
            token = scratch.draw(self._random)
            if scratch.mass_before(token) < mass:
                return token

    def _candidates(self, row: LogitsArray) -> tuple[IdArray, WeightArray]:
        """Return what the filters leave of the row."""
        params = self._params
        mass_of_all = None
        if params.top_k:
            ids, values = largest(row, min(params.top_k, row.size))
            if params.typical_p < 1:
                kept = self._typical(values, float(values[0]))
                ids, values = ids[kept], values[kept]
        elif params.typical_p < 1:
            ids = self._typical(row, greatest(row)[1])
            # Half a vocabulary can be typical: it is sorted only for a filter that needs the order.
            ids, values = by_likelihood(row, ids) if params.top_p < 1 or params.min_p else (ids, row[ids])
        else:
            # A little wider than `min_p` asks, so that rounding here never decides: the filter itself does.
            margin = -math.log(params.min_p) / self._inverse_temperature
            ids, values = at_least(row, 1.001 * margin + 1e-3)
            if params.top_p < 1:
                mass_of_all = self._scratch.fill(row, float(values[0]), self._inverse_temperature)
        weights = np.exp(self._scores(values, float(values.max())))
        if params.top_p < 1:
            mass = params.top_p * (weights.sum() if mass_of_all is None else mass_of_all)
            ids, weights = keep_top_p(ids, weights, mass)
        if params.min_p:
            ids, weights = keep_min_p(ids, weights, params.min_p)
        return ids, weights

    def _typical(self, values: LogitsArray, maximum: float) -> IdArray:
        """Return the places of the locally typical values, ascending."""
        possible = np.flatnonzero(values > -np.inf)
        scores = self._scores(values[possible], maximum)
        return possible[typical(scores, np.exp(scores), self._params.typical_p)]

    def _scores(self, values: LogitsArray, maximum: float) -> WeightArray:
        return (values.astype(np.float64) - maximum) * self._inverse_temperature


def _checked_bias(logit_bias: dict[int, float], vocab_size: int) -> tuple[TokenArray, LogitsArray]:
    ids = np.array(list(logit_bias), np.int64)
    outside = ids[(ids < 0) | (ids >= vocab_size)]
    if outside.size:
        raise InvalidRequest(
            f"logit_bias names token {outside[0]}, but this model's tokens are 0 to {vocab_size - 1}",
            param="logit_bias",
        )
    return ids.astype(np.int32), np.array(list(logit_bias.values()), np.float32)
