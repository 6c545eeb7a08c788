"""From a request to token ids: renders the chat template, tokenizes, and checks what only the vocabulary can check.

Runs on the worker's reader thread, beside the steps; knows nothing of sequences or KV memory.
"""

import logging
from dataclasses import dataclass

import numpy as np

from appliance.backends.base import TokenArray, Tokenizer
from appliance.core.request import ChatPrompt, EncodeRequest, FillPrompt, GenerateRequest, Prompt, Request, TextPrompt
from appliance.errors import ContextLengthExceeded, InvalidRequest, wrong_task

from .chat.speech import ChatFormat, Speech
from .constraint import CompiledGrammar, Grammars

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

    `speech` says how the answer to a chat is read.
    """

    request: GenerateRequest
    tokens: TokenArray
    arrival: Arrival
    grammar: CompiledGrammar | None = None
    speech: Speech | None = None


class PromptReader:
    """Turns prompts into tokens with one model's vocabulary and template."""

    def __init__(self, tokenizer: Tokenizer, max_context_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._format = ChatFormat(tokenizer)
        if self._format.is_fallback:
            _log.warning("the model brings no chat template; chats are written as ChatML")
        self._grammars = Grammars(tokenizer)
        self._max_context_tokens = max_context_tokens

    def prepare(self, request: Request, arrival: Arrival) -> PreparedRequest:
        """Return the request with its tokens. Raises: InvalidRequest, ContextLengthExceeded, BackendError."""
        if isinstance(request, EncodeRequest):
            raise wrong_task(request.model, "generate")
        rendered = self.render(request.prompt) if isinstance(request.prompt, ChatPrompt) else None
        tokens = self.tokens(request.prompt) if rendered is None else self._encoded(rendered)
        if request.context:
            tokens = self._behind(request.context, tokens)
        vocab_size = self._tokenizer.vocab_size
        if len(tokens) == 0:
            raise InvalidRequest("the prompt is empty; give it at least one token", param="prompt")
        if tokens.min() < 0 or tokens.max() >= vocab_size:
            raise InvalidRequest(f"the prompt holds token ids outside [0, {vocab_size})", param="prompt")
        if len(tokens) >= self._max_context_tokens:
            raise ContextLengthExceeded(
                # Clients know this error by these words, and then shorten the prompt or take another model.
                f"the prompt has {len(tokens)} tokens; this model's maximum context length is "
                f"{self._max_context_tokens} tokens, of which the answer needs one (model '{request.model}'); shorten "
                "the prompt, or set engine.context_tokens higher if the model was made for more",
                param="messages" if isinstance(request.prompt, ChatPrompt) else "prompt",
            )
        if not isinstance(request.prompt, ChatPrompt) or rendered is None:
            return PreparedRequest(request, tokens, arrival, self._grammars.compile(request.constraint))
        speech = self._format.speech(request.prompt, rendered, has_constraint=request.constraint is not None)
        grammar = self._grammar(request, request.prompt, speech)
        return PreparedRequest(request, tokens, arrival, grammar, speech)

    def render(self, prompt: ChatPrompt) -> str:
        """Return the conversation as text. Raises: InvalidRequest, BackendError."""
        return self._format.render(prompt)

    def tokens(self, prompt: Prompt) -> TokenArray:
        """Return the tokens of any prompt, unchecked. Raises: InvalidRequest, BackendError."""
        if isinstance(prompt, ChatPrompt):
            return self._encoded(self.render(prompt))
        if isinstance(prompt, TextPrompt):
            return self._tokenizer.encode(prompt.text, parse_special=True, add_bos=True)
        if isinstance(prompt, FillPrompt):
            return self._fill(prompt)
        return np.array(prompt.tokens, np.int32)

    def _behind(self, context: tuple[int, ...], tokens: TokenArray) -> TokenArray:
        """Return the tokens behind those of an earlier exchange: they begin no text any more."""
        begins = len(tokens) > 0 and tokens[0] == self._tokenizer.bos_id
        return np.concatenate((np.array(context, np.int32), tokens[1:] if begins else tokens))

    def _encoded(self, rendered: str) -> TokenArray:
        bos_text = self._format.bos_text
        writes_bos = bool(bos_text) and rendered.startswith(bos_text)
        return self._tokenizer.encode(rendered, parse_special=True, add_bos=not writes_bos)

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
