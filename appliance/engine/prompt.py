"""From a request to token ids: renders the chat template, tokenizes, and checks what only the vocabulary can check.

Runs on the worker's reader thread, beside the steps; knows nothing of sequences or KV memory.
"""

import logging
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from appliance.backends.base import ReadsMedia, TokenArray, Tokenizer
from appliance.backends.media_keys import text_tokens
from appliance.core.request import ChatPrompt, FillPrompt, GenerateRequest, Prompt, Request, TextPrompt
from appliance.errors import ContextLengthExceeded, InvalidRequest, wrong_task

from .chat.marks import Marks, mark
from .chat.speech import ChatFormat, Speech
from .constraint import CompiledGrammar, Grammars
from .illustrated import Illustrated, PlacedSpan, illustrate

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a request came, how long it had waited then, its rank in its class, and whose share of the steps it is."""

    received_s: float = 0.0
    waited_s: float = 0.0
    rank: float = 0.0
    caller: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """A request with its prompt as `(num_prompt_tokens,) int32`, and the grammar that its answer has to obey.

    `speech` says how the answer to a chat is read. `media` stand for the keys among the tokens.
    """

    request: GenerateRequest
    tokens: TokenArray
    arrival: Arrival
    grammar: CompiledGrammar | None = None
    speech: Speech | None = None
    media: tuple[PlacedSpan, ...] = ()


class PromptReader:
    """Turns prompts into tokens with one model's vocabulary and template."""

    def __init__(self, tokenizer: Tokenizer, max_context_tokens: int, media: ReadsMedia | None = None) -> None:
        """Without `media`, prompts are read that have none."""
        self._tokenizer = tokenizer
        self._media = media
        self._format = ChatFormat(tokenizer)
        if self._format.is_fallback:
            _log.warning("the model brings no chat template; chats are written as ChatML")
        self._grammars = Grammars(tokenizer)
        self._max_context_tokens = max_context_tokens

    def prepare(self, request: Request, arrival: Arrival) -> PreparedRequest:
        """Return the request with its tokens. Raises: InvalidRequest, ContextLengthExceeded, BackendError."""
        if not isinstance(request, GenerateRequest):
            raise wrong_task(request.model, "generate")
        prompt, rendered = request.prompt, ""
        if isinstance(prompt, ChatPrompt):
            prompt, marks = mark(prompt)
            rendered = self._format.render(prompt)
            read = self._read(rendered, marks)
        else:
            read = Illustrated(self.tokens(prompt))
        self._check_ids(read)
        if request.context:
            read = self._behind(request.context, read)
        self._check_length(request, len(read.tokens))
        if not isinstance(prompt, ChatPrompt):
            return PreparedRequest(request, read.tokens, arrival, self._grammars.compile(request.constraint))
        speech = self._format.speech(prompt, rendered, has_constraint=request.constraint is not None)
        grammar = self._grammar(request, prompt, speech)
        for _, span in read.media:
            assert self._media is not None, "who has read media has a reader of them"
            self._media.encode(span)
        if read.media:
            request = replace(request, prompt=prompt)  # the files themselves have done their part
        return PreparedRequest(request, read.tokens, arrival, grammar, speech, read.media)

    def render(self, prompt: ChatPrompt) -> str:
        """Return the conversation as text, for people to read. Raises: InvalidRequest, BackendError."""
        prompt, marks = mark(prompt)
        rendered = self._format.render(prompt)
        return marks.shown(rendered) if marks.media else rendered

    def tokens(self, prompt: Prompt) -> TokenArray:
        """Return the tokens of any prompt, unchecked. Raises: InvalidRequest, BackendError."""
        if isinstance(prompt, ChatPrompt):
            prompt, marks = mark(prompt)
            return self._read(self._format.render(prompt), marks).tokens
        if isinstance(prompt, TextPrompt):
            return self._tokenizer.encode(prompt.text, parse_special=True, add_bos=True)
        if isinstance(prompt, FillPrompt):
            return self._fill(prompt)
        return np.array(prompt.tokens, np.int32)

    def _behind(self, context: tuple[int, ...], read: Illustrated) -> Illustrated:
        """Return the prompt behind the tokens of an earlier exchange: it begins no text any more.

        Raises: InvalidRequest.
        """
        before = Illustrated(np.array(context, np.int32))
        self._check_ids(before)
        begins = len(read.tokens) > 0 and read.tokens[0] == self._tokenizer.bos_id
        return read.behind(before.tokens) if not begins else read.without_first().behind(before.tokens)

    def _check_ids(self, read: Illustrated) -> None:
        vocab_size = self._tokenizer.vocab_size
        words = text_tokens(read.tokens) if read.media else read.tokens
        if len(words) and (words.min() < 0 or words.max() >= vocab_size):
            raise InvalidRequest(f"the prompt holds token ids outside [0, {vocab_size})", param="prompt")

    def _check_length(self, request: GenerateRequest, num_tokens: int) -> None:
        if num_tokens == 0:
            raise InvalidRequest("the prompt is empty; give it at least one token", param="prompt")
        if num_tokens < self._max_context_tokens:
            return
        raise ContextLengthExceeded(
            # Clients know this error by these words, and then shorten the prompt or take another model.
            f"the prompt has {num_tokens} tokens; this model's maximum context length is "
            f"{self._max_context_tokens} tokens, of which the answer needs one (model '{request.model}'); shorten "
            "the prompt, or set engine.context_tokens higher if the model was made for more",
            param="messages" if isinstance(request.prompt, ChatPrompt) else "prompt",
        )

    def _read(self, rendered: str, marks: Marks) -> Illustrated:
        if not marks.media:
            return Illustrated(self._encoded(rendered, is_first=True))
        return illustrate(marks.pieces(rendered), lambda text, first: self._encoded(text, is_first=first), self._media)

    def _encoded(self, rendered: str, *, is_first: bool) -> TokenArray:
        bos_text = self._format.bos_text
        writes_bos = bool(bos_text) and rendered.startswith(bos_text)
        return self._tokenizer.encode(rendered, parse_special=True, add_bos=is_first and not writes_bos)

    def _grammar(self, request: GenerateRequest, prompt: ChatPrompt, speech: Speech) -> CompiledGrammar | None:
        """Return the grammar of an answer in a chat. Raises: InvalidRequest, where it is asked for and cannot be."""
        try:
            return self._grammars.compile(request.constraint, speech.tools_grammar)
        except InvalidRequest:
            is_asked_for = prompt.tool_choice.mode == "required" or any(tool.is_strict for tool in prompt.tools)
            if request.constraint is not None or is_asked_for:
                raise
            return None  # nobody asked for it: it only helps a model to write its calls well

    def _fill(self, prompt: FillPrompt) -> TokenArray:
        """Return the tokens in the order prefix, suffix, middle.

        Source: M. Bavarian and others, "Efficient Training of Language Models to Fill in the Middle", 2022 (PSM).
        """
        fim = self._tokenizer.fim_ids
        if fim is None:
            raise InvalidRequest(
                "this model has no fill-in-the-middle tokens, so nothing can be written before a suffix; leave it out",
                param="suffix",
            )
        before, after = (
            self._tokenizer.encode(text, parse_special=False, add_bos=False) for text in (prompt.prefix, prompt.suffix)
        )
        return np.concatenate(
            ([fim.prefix], before, [fim.suffix], after, [fim.middle]), dtype=np.int32, casting="same_kind"
        )
