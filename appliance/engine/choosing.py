"""How one sequence comes to its tokens: the sampler, the grammar that it obeys, and what is told of each choice.

Knows logits and tokens; nothing of text, KV memory or other sequences. A grammar is only asked where its part of the
answer has begun: the sequence says so, since a model may think before it.
"""

import numpy as np

from appliance.backends.base import LogitsArray, TokenArray, Tokenizer
from appliance.core.events import TokenLogprob
from appliance.core.request import ChatPrompt, GenerateRequest

from .constraint import CompiledGrammar
from .logprobs import probability, token_logprobs
from .sampler import Sampler, Scratch

PROBABILITY_EVERY_TOKENS = 16  # a log-sum-exp costs as much as drawing a token, so the metric takes one in so many


class Choosing:
    """The tokens of one choice of a request."""

    def __init__(
        self,
        request: GenerateRequest,
        choice: int,
        prompt: TokenArray,
        tokenizer: Tokenizer,
        scratch: Scratch,
        grammar: CompiledGrammar | None,
    ) -> None:
        """Raises: InvalidRequest, for biases outside the vocabulary."""
        self._wanted = request.logprobs
        self._tokenizer = tokenizer
        self._eos_ids = np.array(sorted(tokenizer.eos_ids), np.int32)
        banned = self._eos_ids if request.stop.ignore_eos else self._eos_ids[:0]
        self._sampler = Sampler(request.sampling, tokenizer.vocab_size, choice, scratch, prompt, banned)
        self._matcher = None if grammar is None else grammar.start()
        self._has_to_answer = _has_to_answer(request)
        self._num_chosen = 0
        self._probabilities: list[float] = []
        self._sum_logprob = 0.0

    @property
    def has_grammar(self) -> bool:
        """Whether the answer has to obey a grammar."""
        return self._matcher is not None

    @property
    def is_complete(self) -> bool:
        """Whether the grammar allows nothing more."""
        return self._matcher is not None and self._matcher.is_complete

    @property
    def mean_probability(self) -> float | None:
        """The mean of the probabilities that were taken, None without any."""
        return sum(self._probabilities) / len(self._probabilities) if self._probabilities else None

    @property
    def sum_logprob(self) -> float | None:
        """The log-probability of all that was chosen, for requests that want log-probabilities."""
        return None if self._wanted is None else self._sum_logprob

    def choose(self, row: LogitsArray, *, is_constrained: bool) -> tuple[int, tuple[TokenLogprob, ...]]:
        """Return the next token, drawn from `row`, which may be written to, and what the request wants to know of it.

        Raises: BackendError, where nothing can be drawn; InvalidRequest, where the grammar became too complex.
        """
        is_measured = self._wanted is not None or self._num_chosen % PROBABILITY_EVERY_TOKENS == 0
        is_written = self._matcher is not None or self._sampler.writes_row
        raw = row.copy() if is_measured and is_written else row
        if self._matcher is not None and is_constrained:
            self._matcher.mask(row)
        elif self._matcher is not None and self._has_to_answer:
            row[self._eos_ids] = -np.inf
        token = self._sampler.sample(row)
        self.follow(token, is_constrained=is_constrained)
        if self._wanted is not None:
            logprobs = token_logprobs(raw, token, self._wanted, self._tokenizer)
            self._sum_logprob += logprobs.logprob
            self._probabilities.append(float(np.exp(logprobs.logprob)))
            return token, (logprobs,)
        if is_measured:
            self._probabilities.append(probability(raw, token))
        return token, ()

    def follow(self, token: int, *, is_constrained: bool) -> None:
        """Go on behind a token, drawn or forced."""
        self._num_chosen += 1
        self._sampler.accept(token)
        if self._matcher is not None and is_constrained and token not in self._tokenizer.eos_ids:
            self._matcher.accept(token)

    def forced(self) -> list[int]:
        """Return the tokens that the grammar leaves no choice about. None where every token's row is asked for."""
        return [] if self._matcher is None or self._wanted is not None else self._matcher.forced()

    def possible(self, guess: TokenArray) -> TokenArray:
        """Return the beginning of a guess that the grammar allows."""
        return guess if self._matcher is None else guess[: self._matcher.num_valid(guess.tolist())]


def _has_to_answer(request: GenerateRequest) -> bool:
    """Return whether an answer that ends while the model still thinks would not be what was asked for."""
    prompt = request.prompt
    return request.constraint is not None or (isinstance(prompt, ChatPrompt) and prompt.tool_choice.mode == "required")
