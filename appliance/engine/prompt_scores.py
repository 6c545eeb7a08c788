"""The log-probabilities of a prompt's own tokens, for requests that echo it with them. Knows rows and tokens only."""

from appliance.backends.base import LogitsArray, TokenArray, Tokenizer
from appliance.core.events import TokenLogprob

from .logprobs import token_logprobs


class PromptScores:
    """What the model thinks of each token of a prompt, given those before it. The first has nothing before it."""

    def __init__(self, prompt: TokenArray, wanted: int, tokenizer: Tokenizer) -> None:
        """`wanted` is how many likeliest tokens are told beside each."""
        self._prompt = prompt
        self._wanted = wanted
        self._tokenizer = tokenizer
        self._entries: list[TokenLogprob | None] = [None]

    @property
    def is_complete(self) -> bool:
        """Whether every token has its score."""
        return len(self._entries) == len(self._prompt)

    @property
    def entries(self) -> tuple[TokenLogprob | None, ...]:
        """The scores so far."""
        return tuple(self._entries)

    def add(self, rows: LogitsArray, start: int) -> None:
        """Take in the rows of the tokens from position `start` on, `(num_rows, vocab_size) float32`."""
        num_known = len(self._entries) - 1 - start  # some are computed again where not all came back after a pause
        assert num_known >= 0, "a prompt that is scored takes nothing from a cache"
        for row, token in zip(rows[num_known:], self._prompt[start + 1 + num_known :].tolist(), strict=False):
            self._entries.append(token_logprobs(row, token, self._wanted, self._tokenizer))
