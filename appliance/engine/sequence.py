"""One choice of a request: its tokens, how the next is drawn, and the text that has become of them.

Owns everything about a sequence but its KV. Knows nothing of other sequences, batches or handles' meaning.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from appliance.backends.base import LogitsArray, TokenArray, Tokenizer
from appliance.core.events import Delta, Finished, FinishReason, Timings, TokenLogprob, Usage
from appliance.core.request import PRIORITY_RANK

from .batcher import Work
from .blocks import Block
from .detokenize import Detokenizer
from .logprobs import probability, token_logprobs
from .prefix import EVERYBODY, scope_of
from .prompt import PreparedRequest
from .sampler import Sampler, Scratch
from .speculate import Drafter
from .stops import StopMatcher

PROBABILITY_EVERY_TOKENS = 16  # a log-sum-exp costs as much as drawing a token, so the metric takes one in so many


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What all sequences of a model share for turning logits into text."""

    tokenizer: Tokenizer
    scratch: Scratch
    max_context_tokens: int


class Sequence:
    """A prompt and its continuation so far."""

    def __init__(self, prepared: PreparedRequest, choice: int, number: int, vocabulary: Vocabulary) -> None:
        """`number` counts the sequences as they come."""
        request, arrival = prepared.request, prepared.arrival
        num_prompt = len(prepared.tokens)
        room = vocabulary.max_context_tokens - num_prompt
        max_new = room if request.stop.max_tokens is None else min(request.stop.max_tokens, room)
        self.request = request
        self.choice = choice
        self.turn = (PRIORITY_RANK[request.priority], arrival.rank, number)
        self.caller, self.weight = arrival.caller, arrival.weight
        self.scope = EVERYBODY if request.cache_prompt else scope_of("private", request.id, is_private=True)
        self.parked: Block | None = None
        self.drafter: Drafter | None = None
        self.handle: int | None = None
        self.num_computed = 0
        self.num_prompt = num_prompt
        self.num_tokens = num_prompt
        self.cached_tokens = 0
        self.accepted_draft_tokens = 0
        self.rejected_draft_tokens = 0
        self.finish_reason: FinishReason | None = None
        self._end = num_prompt + max_new
        self._buffer = np.empty(self._end, np.int32)
        self._buffer[:num_prompt] = prepared.tokens
        self._tokenizer = vocabulary.tokenizer
        eos_ids = vocabulary.tokenizer.eos_ids
        self._eos_ids = frozenset() if request.stop.ignore_eos else eos_ids
        self._sampler = Sampler(
            request.sampling,
            vocabulary.tokenizer.vocab_size,
            choice,
            vocabulary.scratch,
            prompt_tail=prepared.tokens,
            banned=np.array(sorted(eos_ids - self._eos_ids), np.int32),
        )
        self._detokenizer = Detokenizer(vocabulary.tokenizer)
        self._stops = StopMatcher(request.stop.strings)
        self._probabilities: list[float] = []
        self._created_s = arrival.received_s - arrival.waited_s
        self._admitted_s: float | None = None
        self._first_token_s: float | None = None

    @property
    def tokens(self) -> TokenArray:
        """All tokens so far, prompt and output, `(num_tokens,) int32`: a view that stays valid."""
        return self._buffer[: self.num_tokens]

    @property
    def buffer(self) -> TokenArray:
        """Room for every token the sequence can come to have; `tokens` is its beginning."""
        return self._buffer

    @property
    def class_rank(self) -> int:
        """Who goes first, whatever came when: the lower."""
        return self.turn[0]

    @property
    def num_left(self) -> int:
        """How many tokens may still come."""
        return self._end - self.num_tokens

    @property
    def work(self) -> Work:
        """What the batcher needs to know."""
        return Work(self.num_computed, self.num_tokens - self.num_computed)

    def admit(self, handle: int, num_cached: int, now_s: float) -> bool:
        """Take a handle that already holds the first `num_cached` tokens. Returns whether it is the first time."""
        self.handle = handle
        self.num_computed = num_cached
        if self._admitted_s is not None:
            return False
        self._admitted_s = now_s
        self.cached_tokens = num_cached
        return True

    def preempt(self, parked: Block) -> None:
        """Give the handle back; the tokens stay, and what was computed of them comes back from `parked`."""
        self.handle = None
        self.num_computed = 0
        self.parked = parked

    def num_promising(self) -> int:
        """Return how many tokens could be guessed now with a chance to be right."""
        if self.drafter is None:
            self.drafter = Drafter(self._buffer, self.num_tokens)
        self.drafter.extend(self.num_tokens)
        return min(self.drafter.num_wanted, self.num_left - 1)

    @property
    def acceptance(self) -> float:
        """How likely a guessed token is to be right."""
        assert self.drafter is not None
        return self.drafter.acceptance

    def draft(self, num_tokens: int) -> TokenArray:
        """Return a guess of what follows, `(num_tokens,) int32`, written behind the tokens until they come."""
        assert self.drafter is not None
        guess = self.drafter.draft(num_tokens)
        self._buffer[self.num_tokens : self.num_tokens + num_tokens] = guess
        return guess

    def note_draft(self, num_drafted: int, num_accepted: int) -> None:
        """Learn what came of a guess."""
        assert self.drafter is not None
        self.drafter.note(num_drafted, num_accepted)
        self.accepted_draft_tokens += num_accepted
        self.rejected_draft_tokens += num_drafted - num_accepted

    def accept(self, row: LogitsArray, clock: Callable[[], float]) -> Delta:
        """Draw the next token from `row`, `(vocab_size,) float32`, which may be written to; set `finish_reason`."""
        wanted = self.request.logprobs
        num_generated = self.num_tokens - self.num_prompt
        is_measured = wanted is not None or num_generated % PROBABILITY_EVERY_TOKENS == 0
        raw = row.copy() if is_measured and self._sampler.writes_row else row
        token = self._sampler.sample(row)
        self._sampler.accept(token)
        if num_generated == 0:
            self._first_token_s = clock()
        self._buffer[self.num_tokens] = token
        self.num_tokens += 1
        logprobs: tuple[TokenLogprob, ...] = ()
        if wanted is not None:
            logprobs = (token_logprobs(raw, token, wanted, self._tokenizer),)
            self._probabilities.append(float(np.exp(logprobs[0].logprob)))
        elif is_measured:
            self._probabilities.append(probability(raw, token))
        return Delta(
            id=self.request.id,
            choice=self.choice,
            num_tokens=1,
            text=self._text_of(token),
            logprobs=() if self.finish_reason == "stop" and token in self._eos_ids else logprobs,
            timings=self.timings(clock()) if self.request.timings_per_token else None,
        )

    def finished(self, now_s: float) -> Finished:
        """Return the event that ends this choice."""
        assert self.finish_reason is not None
        usage = Usage(
            prompt_tokens=self.num_prompt,
            cached_tokens=self.cached_tokens,
            completion_tokens=self.num_tokens - self.num_prompt,
            accepted_draft_tokens=self.accepted_draft_tokens,
            rejected_draft_tokens=self.rejected_draft_tokens,
        )
        mean = sum(self._probabilities) / len(self._probabilities) if self._probabilities else None
        return Finished(
            id=self.request.id,
            choice=self.choice,
            reason=self.finish_reason,
            usage=usage,
            timings=self.timings(now_s),
            mean_token_probability=mean,
        )

    def timings(self, now_s: float) -> Timings:
        """Return where the time went until now."""
        admitted_s = now_s if self._admitted_s is None else self._admitted_s
        first_s = now_s if self._first_token_s is None else self._first_token_s
        return Timings(queue_s=admitted_s - self._created_s, prefill_s=first_s - admitted_s, decode_s=now_s - first_s)

    def _text_of(self, token: int) -> str:
        """Return the text that is certain now, and set the finish reason if the sequence ends here."""
        if token in self._eos_ids:
            self.finish_reason = "stop"
            text, stopped = self._stops.feed(self._detokenizer.flush())
        else:
            text, stopped = self._stops.feed(self._detokenizer.feed(token))
            if not stopped and self.num_tokens == self._end:
                self.finish_reason = "length"
                last, stopped = self._stops.feed(self._detokenizer.flush())
                text += last
        if stopped:
            self.finish_reason = "stop"
        elif self.finish_reason is not None:
            text += self._stops.flush()
        return text
