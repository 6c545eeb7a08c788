"""From a request to the inputs of an encoder: tokenizes, and refuses what the model cannot read whole.

Runs on the worker's reader thread, beside the steps; knows nothing of batches. The twin of `prompt.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from appliance.backends.base import EncoderInput, InputReader
from appliance.core.request import EncodeRequest, Request, TextPair, TextPrompt, TokenPrompt
from appliance.core.traits import ModelTraits
from appliance.errors import ContextLengthExceeded, InvalidRequest, can_do, wrong_task

from .prompt import Arrival

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PreparedInputs:
    """A request with its inputs. `pairs` names the inputs whose vectors are to be compared."""

    request: EncodeRequest
    inputs: Sequence[EncoderInput]
    pairs: Sequence[tuple[int, int]]
    arrival: Arrival

    @property
    def num_tokens(self) -> int:
        """Return the tokens of all inputs together."""
        return sum(len(each.tokens) for each in self.inputs)


class RequestReader:
    """Turns requests into inputs with one model's vocabulary and instructions."""

    def __init__(self, inputs: InputReader, traits: ModelTraits) -> None:
        self._inputs = inputs
        self._traits = traits

    def prepare(self, request: Request, arrival: Arrival) -> PreparedInputs:
        """Return the request with its inputs. Raises: InvalidRequest, ContextLengthExceeded, BackendError."""
        if not isinstance(request, EncodeRequest) or not can_do(self._traits.task, request.task):
            raise wrong_task(request.model, self._traits.task)
        width = self._traits.row_width
        if request.dimensions is not None and request.dimensions > width:
            raise InvalidRequest(
                f"'dimensions' is {request.dimensions}, and embeddings of model '{request.model}' have {width} numbers",
                param="dimensions",
            )
        if request.task == "score" and self._traits.task == "score" and width != 1:
            raise InvalidRequest(
                f"model '{request.model}' sorts texts under {width} labels; relevance is a single number, which a "
                "reranker gives",
                param="model",
            )
        pairs: Sequence[tuple[int, int]] = ()
        if request.task == "score" and self._traits.task == "embed":
            inputs, pairs = self._read_apart(request)
        else:
            inputs = self._read(request)
        if request.truncates:
            inputs = [self._cut(each) for each in inputs]
        for index, each in enumerate(inputs):
            self._check(request, each, index)
        return PreparedInputs(request, inputs, pairs, arrival)

    def _read(self, request: EncodeRequest) -> list[EncoderInput]:
        """Return an input for each of the request's, in its order; texts are tokenized together."""
        texts = self._inputs.read([each.text for each in _of(request, TextPrompt)], request.role)
        pairs = self._inputs.read_pairs([(each.first, each.second) for each in _of(request, TextPair)])
        tokens = [EncoderInput(np.array(each.tokens, np.int32)) for each in _of(request, TokenPrompt)]
        sources: dict[type, Iterator[EncoderInput]]
        sources = {TextPrompt: iter(texts), TextPair: iter(pairs), TokenPrompt: iter(tokens)}
        return [next(sources[type(each)]) for each in request.inputs]

    def _read_apart(self, request: EncodeRequest) -> tuple[list[EncoderInput], list[tuple[int, int]]]:
        """Return every query and every document once, and the two of each pair by their places."""
        texts = [(pair.first, pair.second) for pair in _of(request, TextPair)]
        queries = {text: place for place, text in enumerate(dict.fromkeys(first for first, _ in texts))}
        documents = {text: place for place, text in enumerate(dict.fromkeys(second for _, second in texts))}
        inputs = self._inputs.read([*queries], "query") + self._inputs.read([*documents], "document")
        return inputs, [(queries[first], len(queries) + documents[second]) for first, second in texts]

    def _cut(self, read: EncoderInput) -> EncoderInput:
        """Return what the model can read of it; the last token stays the last, since it ends a text."""
        limit = self._traits.max_context_tokens
        if len(read.tokens) <= limit:
            return read
        kept = [*range(limit - 1), len(read.tokens) - 1]
        return EncoderInput(read.tokens[kept], None if read.types is None else read.types[kept])

    def _check(self, request: EncodeRequest, read: EncoderInput, index: int) -> None:
        num_tokens, limit = len(read.tokens), self._traits.max_context_tokens
        param = "input" if request.task == "embed" else None
        what = "the input" if len(request.inputs) == 1 and request.task == "embed" else f"text {index} of the request"
        if num_tokens == 0:
            raise InvalidRequest(f"{what} is empty; give it at least one token", param=param)
        if num_tokens > limit:
            raise ContextLengthExceeded(
                f"{what} has {num_tokens} tokens, and model '{request.model}' reads at most {limit} at once; nothing "
                "is cut off here: split the text",
                param=param,
            )
        if read.tokens.min() < 0 or read.tokens.max() >= self._inputs.vocab_size:
            raise InvalidRequest(f"{what} holds token ids outside [0, {self._inputs.vocab_size})", param=param)


def _of(request: EncodeRequest, kind: type[T]) -> Iterator[T]:
    return (each for each in request.inputs if isinstance(each, kind))
