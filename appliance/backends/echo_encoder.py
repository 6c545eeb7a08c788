"""Echo as a model that embeds or scores: texts that share letters are alike. For tests of everything above it."""

import time
from collections.abc import Sequence

import numpy as np

from appliance.backends.base import EncoderInput, RowArray, TokenArray
from appliance.backends.echo_description import EchoOptions
from appliance.backends.echo_tokenizer import ENDOFTEXT, EchoTokenizer
from appliance.backends.encoders import encoder_traits, normalized
from appliance.core.plan import LoadPlan
from appliance.core.request import InputRole
from appliance.errors import BackendError


class EchoEncoder:
    """An embedding counts a text's bytes by their value modulo the width; a score is that of one text in the other."""

    def __init__(self, plan: LoadPlan, options: EchoOptions) -> None:
        self.traits = encoder_traits(
            plan,
            "score" if options.task == "score" else "embed",
            vocab_size=options.vocab,
            max_tokens=options.context or plan.context_tokens,
            row_width=options.width,
        )
        self._options = options
        self.num_calls = 0

    def embed(self, inputs: Sequence[EncoderInput]) -> RowArray:
        """Return a row for each input, as late as the options ask for. Raises: BackendError, if they ask for that."""
        options = self._options
        if options.fail_after_steps is not None and self.num_calls >= options.fail_after_steps:
            raise BackendError(f"echo was asked to fail after {options.fail_after_steps} steps")
        self.num_calls += 1
        time.sleep(options.step_s + options.token_s * sum(len(each.tokens) for each in inputs))
        rows = [self._score(each) if self.traits.task == "score" else self._count(each.tokens) for each in inputs]
        stacked = np.array(rows, np.float32)
        return stacked if self.traits.task == "score" else normalized(stacked)

    def close(self) -> None:
        """Free nothing."""

    def _count(self, tokens: TokenArray) -> RowArray:
        return np.bincount(tokens % self._options.width, minlength=self._options.width).astype(np.float32)

    def _score(self, read: EncoderInput) -> RowArray:
        """Return how many more of the second text's bytes occur in the first than do not."""
        types = np.zeros_like(read.tokens) if read.types is None else read.types
        first, second = read.tokens[types == 0], read.tokens[types == 1]
        common = np.isin(second, first).sum()
        return np.full(self._options.width, 2 * common - len(second), np.float32)


class EchoInputs:
    """Bytes as inputs; a pair has a token of its own between its texts. The only instruction is a letter."""

    def __init__(self, tokenizer: EchoTokenizer) -> None:
        self._tokenizer = tokenizer
        self.vocab_size = tokenizer.vocab_size

    def read(self, texts: Sequence[str], role: InputRole | None) -> list[EncoderInput]:
        """Return the bytes of each text, after `q:` for a query and `d:` for a document."""
        instruction = f"{role[0]}:" if role else ""
        return [EncoderInput(self._bytes(instruction + text)) for text in texts]

    def read_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[EncoderInput]:
        """Return the bytes of both texts with the end of a text between them."""
        inputs = []
        for pair in pairs:
            first, second = (self._bytes(text) for text in pair)
            types = np.repeat(np.array([0, 1], np.int32), [len(first) + 1, len(second)])
            inputs.append(EncoderInput(np.concatenate([first, [ENDOFTEXT], second]).astype(np.int32), types))
        return inputs

    def _bytes(self, text: str) -> TokenArray:
        return self._tokenizer.encode(text, parse_special=False, add_bos=False)
