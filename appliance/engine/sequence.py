"""One choice of a request: its tokens, how the next is drawn, and the text that has become of them.

Owns everything about a sequence but its KV. Knows nothing of other sequences, batches or handles' meaning.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from appliance.backends.base import LogitsArray, MediaSpan, TokenArray, Tokenizer
from appliance.backends.media_keys import MIN_TOKENS, text_tokens
from appliance.core.events import Delta, Finished, FinishReason, PromptEcho, Timings, TokenLogprob, Usage
from appliance.core.request import PRIORITY_RANK, FillPrompt, TextPrompt

from .adapters import key_of, scope_with
from .answer import AnswerText, Spoken
from .batcher import Work
from .blocks import Block
from .choosing import Choosing
from .prefix import scope_of
from .prompt import PreparedRequest
from .prompt_scores import PromptScores
from .sampler import Scratch
from .speculate import Drafter


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
        is_scored = request.echoes_prompt and request.logprobs is not None
        self._media = dict(prepared.media)
        self.adapter_key = key_of(request.adapters)
        is_shared = request.cache_prompt and not is_scored and _is_told_apart(prepared)
        self.scope = scope_with(self.adapter_key) if is_shared else scope_of("private", request.id, is_private=True)
        self.scores: PromptScores | None = None
        if is_scored and choice == 0:  # one of the choices does it for all
            self.scores = PromptScores(prepared.tokens, request.logprobs or 0, vocabulary.tokenizer)
        self.parked: Block | None = None
        self.drafter: Drafter | None = None
        self.handle: int | None = None
        self.num_computed = 0
        self.num_prompt = num_prompt
        self.num_tokens = num_prompt
        self.cached_tokens = 0
        self.accepted_draft_tokens = self.rejected_draft_tokens = 0
        self.finish_reason: FinishReason | None = None
        self._end = num_prompt + max_new
        self._buffer = np.empty(self._end, np.int32)
        self._buffer[:num_prompt] = prepared.tokens
        self._tokenizer = vocabulary.tokenizer
        self._eos_ids = frozenset() if request.stop.ignore_eos else vocabulary.tokenizer.eos_ids
        self._choosing = _choosing(prepared, choice, vocabulary)
        self._num_drawn_end = num_prompt
        self._forced: list[int] = []
        self._speech = prepared.speech
        self._answer = AnswerText(vocabulary.tokenizer, request.stop.strings, prepared.speech)
        self._has_ended_thinking = False
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
        num_pending = self.num_tokens - self.num_computed
        num_forced = min(self.num_tokens - self._num_drawn_end, num_pending - 1)
        work = Work(self.num_computed, num_pending, num_forced, is_scored=self.scores is not None)
        if self._media and self.num_computed < self.num_prompt:
            start = next((start for start in self._media if start >= self.num_computed), None)
            if start is not None:
                return replace(
                    work, num_until_medium=start - self.num_computed, num_medium=len(self._media[start].keys)
                )
        return work

    def medium_at(self, position: int) -> MediaSpan | None:
        """Return the medium whose first key stands at that position."""
        return self._media.get(position)

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
        """Return a guess of what follows, at most so many tokens. It is written behind those that came."""
        assert self.drafter is not None
        guess = self.drafter.draft(num_tokens)
        guess = guess[: int(np.argmax(guess < 0))] if (guess < 0).any() else guess  # nobody says a medium
        if self._is_constrained:
            guess = self._choosing.possible(guess)
        self._buffer[self.num_tokens : self.num_tokens + len(guess)] = guess
        return guess

    def note_draft(self, num_drafted: int, num_accepted: int) -> None:
        """Learn what came of a guess."""
        assert self.drafter is not None
        self.drafter.note(num_drafted, num_accepted)
        self.accepted_draft_tokens += num_accepted
        self.rejected_draft_tokens += num_drafted - num_accepted

    def accept(self, row: LogitsArray, clock: Callable[[], float]) -> Delta:
        """Draw the next token from `row`, `(vocab_size,) float32`, which may be written to; set `finish_reason`."""
        token, logprobs = self._choosing.choose(row, is_constrained=self._is_constrained)
        delta = self._append(token, logprobs, clock)
        self._num_drawn_end = self.num_tokens
        return delta

    def force(self, *tokens: int) -> None:
        """Let these tokens come next, whatever the model would write."""
        self._forced += tokens

    @property
    def is_interrupted(self) -> bool:
        """Whether nothing is drawn next: the sequence is over, or something is forced."""
        return self.finish_reason is not None or bool(self._forced)

    def begin(self, clock: Callable[[], float]) -> list[Delta]:
        """Return what comes before the first row is drawn from: tokens that are forced, or the end without any."""
        if self.num_tokens > self.num_prompt:
            return []
        if not self.num_left:
            self.finish_reason = "length"
        return self.append_forced(clock)

    def append_forced(self, clock: Callable[[], float]) -> list[Delta]:
        """Append what follows without being drawn: what was forced, and what the grammar leaves no choice about."""
        deltas: list[Delta] = []
        while self.finish_reason is None:
            tokens, self._forced = self._forced, []
            if not tokens and self._is_constrained:
                tokens = self._choosing.forced()
            if not tokens:
                break
            for token in tokens:
                if self.finish_reason is None:
                    self._choosing.follow(token, is_constrained=self._is_constrained)
                    deltas.append(self._append(token, (), clock))
        return deltas

    @property
    def _is_constrained(self) -> bool:
        """Whether a grammar says what comes next: it does once the model has thought."""
        return self._choosing.has_grammar and not self._answer.is_in_prompts_thinking

    def _append(self, token: int, logprobs: tuple[TokenLogprob, ...], clock: Callable[[], float]) -> Delta:
        if self.num_tokens == self.num_prompt:
            self._first_token_s = clock()
        self._buffer[self.num_tokens] = token
        self.num_tokens += 1
        spoken = self._spoken(token)
        self._end_long_thinking()
        return Delta(
            id=self.request.id,
            choice=self.choice,
            num_tokens=1,
            text=spoken.text,
            reasoning=spoken.reasoning,
            tool_calls=spoken.tool_calls,
            logprobs=() if token in self._eos_ids else logprobs,
            timings=self.timings(clock()) if self.request.timings_per_token else None,
        )

    def echo(self, logprobs: tuple[TokenLogprob | None, ...] = ()) -> PromptEcho:
        """Return the event that repeats the prompt."""
        return PromptEcho(id=self.request.id, text=self._prompt_text, logprobs=logprobs)

    def finished(self, now_s: float) -> Finished:
        """Return the event that ends this choice."""
        assert self.finish_reason is not None
        usage = Usage(
            prompt_tokens=self.num_prompt,
            cached_tokens=self.cached_tokens,
            completion_tokens=self.num_tokens - self.num_prompt,
            reasoning_tokens=self._answer.reasoning_tokens,
            accepted_draft_tokens=self.accepted_draft_tokens,
            rejected_draft_tokens=self.rejected_draft_tokens,
        )
        return Finished(
            id=self.request.id,
            choice=self.choice,
            reason=self.finish_reason,
            usage=usage,
            timings=self.timings(now_s),
            mean_token_probability=self._choosing.mean_probability,
            stop_string=self._answer.stop_string,
            sum_logprob=self._choosing.sum_logprob,
            tokens=tuple(text_tokens(self.tokens).tolist()) if self.request.returns_tokens else (),
        )

    def timings(self, now_s: float) -> Timings:
        """Return where the time went until now."""
        admitted_s = now_s if self._admitted_s is None else self._admitted_s
        first_s = now_s if self._first_token_s is None else self._first_token_s
        return Timings(queue_s=admitted_s - self._created_s, prefill_s=first_s - admitted_s, decode_s=now_s - first_s)

    def _spoken(self, token: int) -> Spoken:
        """Return what is certain of the answer now, and set the finish reason if the sequence ends here."""
        answer = self._answer
        if token in self._eos_ids:
            self.finish_reason = "stop"
            spoken = answer.finish()
        else:
            spoken = answer.feed(token)
            is_complete = self._choosing.is_complete
            if not answer.has_ended and (is_complete or self.num_tokens == self._end):
                self.finish_reason = "stop" if is_complete else "length"
                spoken = spoken.followed_by(answer.finish())
        if answer.has_ended:
            self.finish_reason = "stop"
        if self.finish_reason == "stop" and answer.has_called:
            self.finish_reason = "tool_calls"
        return spoken

    def _end_long_thinking(self) -> None:
        """Force the end of the thinking, once, where the model has thought for as long as it may."""
        speech, answer = self._speech, self._answer
        if speech is None or speech.max_thinking_tokens is None or not answer.is_thinking or self._has_ended_thinking:
            return
        if answer.reasoning_tokens >= speech.max_thinking_tokens:
            self._has_ended_thinking = True
            self.force(*speech.thinking_end)

    @property
    def _prompt_text(self) -> str:
        prompt = self.request.prompt
        if isinstance(prompt, TextPrompt):
            return prompt.text
        if isinstance(prompt, FillPrompt):
            return prompt.prefix
        pieces = map(self._tokenizer.token_bytes, text_tokens(self._buffer[: self.num_prompt]).tolist())
        return b"".join(pieces).decode(errors="replace")


def _choosing(prepared: PreparedRequest, choice: int, vocabulary: Vocabulary) -> Choosing:
    words = text_tokens(prepared.tokens)
    return Choosing(prepared.request, choice, words, vocabulary.tokenizer, vocabulary.scratch, prepared.grammar)


def _is_told_apart(prepared: PreparedRequest) -> bool:
    """Return whether the keys of every medium are enough to know it by."""
    return all(len(span.keys) >= MIN_TOKENS for _, span in prepared.media)
