"""One model's vocabulary without its weights: counts and shows the tokens of prompts exactly as a worker reads them.

Owns the tokenizer, the chat template and an encoder's instructions, each opened when it is first needed.
"""

import logging
from collections.abc import Callable
from functools import cached_property

import numpy as np

from appliance.backends import loading
from appliance.backends.base import InputReader, TokenArray, Tokenizer
from appliance.core.events import Failed, PromptRead
from appliance.core.plan import Artefact
from appliance.core.request import ChatPrompt, ReadRequest, TextPrompt, TokenPrompt
from appliance.core.traits import ModelTask
from appliance.errors import ApplianceError, BackendError, InvalidRequest, to_info, wrong_task

from .prompt import PromptReader

MAX_SHOWN_TOKENS = 2**20
"""More are counted, but neither shown nor sent: the daemon would stand still while it writes them down."""

_log = logging.getLogger(__name__)


class Vocabulary:
    """Answers `ReadRequest`s for one model."""

    def __init__(self, artefact: Artefact, task: ModelTask) -> None:
        self._artefact = artefact
        self._task = task

    def read(self, request: ReadRequest) -> PromptRead:
        """Return what the request wants to know. Raises: InvalidRequest, BackendError."""
        if request.wants == "text":
            return PromptRead(id=request.id, text=self._text(request))
        tokens = self._tokens(request)
        num_tokens = len(tokens)
        if request.wants == "count":
            return PromptRead(id=request.id, num_tokens=num_tokens)
        if num_tokens > MAX_SHOWN_TOKENS:
            raise InvalidRequest(f"these are {num_tokens} tokens, and at most {MAX_SHOWN_TOKENS} are shown at once")
        shown = tuple(tokens.tolist())
        pieces = tuple(self._piece(token) for token in shown) if request.wants == "pieces" else ()
        return PromptRead(id=request.id, num_tokens=num_tokens, tokens=shown, pieces=pieces)

    def _text(self, request: ReadRequest) -> str:
        if isinstance(request.prompt, ChatPrompt):
            return self._reader_for(request).render(request.prompt)
        if isinstance(request.prompt, TextPrompt):
            return request.prompt.text
        return b"".join(self._piece(token) for token in self._tokens(request).tolist()).decode(errors="replace")

    def _tokens(self, request: ReadRequest) -> TokenArray:
        prompt = request.prompt
        if isinstance(prompt, TextPrompt):
            if request.adds_special and self._task != "generate":
                return self._inputs.read([prompt.text], None)[0].tokens
            is_as_answered = request.adds_special and request.parses_special
            if not is_as_answered:
                return self._tokenizer.encode(
                    prompt.text, parse_special=request.parses_special, add_bos=request.adds_special
                )
        if isinstance(prompt, TokenPrompt):
            return self._checked(prompt)
        return self._reader_for(request).tokens(prompt)

    def _checked(self, prompt: TokenPrompt) -> TokenArray:
        vocab_size = self._tokenizer.vocab_size
        if prompt.tokens and not 0 <= min(prompt.tokens) <= max(prompt.tokens) < vocab_size:
            raise InvalidRequest(f"'tokens' holds ids outside [0, {vocab_size})", param="tokens")
        return np.array(prompt.tokens, np.int32)

    def _piece(self, token: int) -> bytes:
        """Return the token's bytes; a special token says nothing in an answer and is its name here."""
        return self._tokenizer.token_bytes(token) or self._tokenizer.special_text(token).encode()

    def _reader_for(self, request: ReadRequest) -> PromptReader:
        if self._task != "generate":
            raise wrong_task(request.model, self._task)
        return self._reader

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return loading.open_tokenizer(self._artefact)

    @cached_property
    def _reader(self) -> PromptReader:
        return PromptReader(self._tokenizer, max_context_tokens=0)

    @cached_property
    def _inputs(self) -> InputReader:
        return loading.open_inputs(self._artefact)


def count(reader: PromptReader, request: ReadRequest) -> PromptRead:
    """Return how many tokens a prompt has, by the reader of a worker that has the weights, too."""
    return PromptRead(id=request.id, num_tokens=len(reader.tokens(request.prompt)))


def answer(read: Callable[[ReadRequest], PromptRead], request: ReadRequest) -> PromptRead | Failed:
    """Return what was read, or why it could not be."""
    try:
        return read(request)
    except ApplianceError as error:
        return Failed(id=request.id, error=to_info(error))
    except Exception:
        _log.exception("a prompt could not be read")
        problem = BackendError("the model's vocabulary could not read this prompt; the daemon's log has the cause")
        return Failed(id=request.id, error=to_info(problem))
