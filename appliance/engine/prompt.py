"""From a request to token ids: renders the chat template, tokenizes, and checks what only the vocabulary can check.

Runs on the worker's reader thread, beside the steps; knows nothing of sequences or KV memory.
"""

import logging
from dataclasses import dataclass

import numpy as np

from appliance.backends.base import TokenArray, Tokenizer
from appliance.core.request import ChatPrompt, EncodeRequest, FillPrompt, GenerateRequest, Prompt, Request, TextPrompt
from appliance.errors import ContextLengthExceeded, InvalidRequest, wrong_task

from .chat.template import ChatTemplate

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
    """A request with its prompt as `(num_prompt_tokens,) int32`."""

    request: GenerateRequest
    tokens: TokenArray
    arrival: Arrival


class PromptReader:
    """Turns prompts into tokens with one model's vocabulary and template."""

    def __init__(self, tokenizer: Tokenizer, max_context_tokens: int) -> None:
        bos_text = "" if tokenizer.bos_id is None else tokenizer.special_text(tokenizer.bos_id)
        eos_text = next((tokenizer.special_text(token) for token in sorted(tokenizer.eos_ids)), "")
        self._tokenizer = tokenizer
        self._bos_text = bos_text
        self._template = ChatTemplate(tokenizer.chat_template, bos_text, eos_text)
        if self._template.is_fallback:
            _log.warning("the model brings no chat template; chats are written as ChatML")
        self._max_context_tokens = max_context_tokens

    def prepare(self, request: Request, arrival: Arrival) -> PreparedRequest:
        """Return the request with its tokens. Raises: InvalidRequest, ContextLengthExceeded, BackendError."""
        if isinstance(request, EncodeRequest):
            raise wrong_task(request.model, "generate")
        tokens = self._tokens(request.prompt)
        vocab_size = self._tokenizer.vocab_size
        if len(tokens) == 0:
            raise InvalidRequest("the prompt is empty; give it at least one token", param="prompt")
        if tokens.min() < 0 or tokens.max() >= vocab_size:
            raise InvalidRequest(f"the prompt holds token ids outside [0, {vocab_size})", param="prompt")
        if len(tokens) >= self._max_context_tokens:
            raise ContextLengthExceeded(
                f"the prompt has {len(tokens)} tokens, and model '{request.model}' has a context of "
                f"{self._max_context_tokens} tokens, of which the answer needs one; shorten the prompt, or set "
                "engine.context_tokens higher if the model was made for more",
                param="messages" if isinstance(request.prompt, ChatPrompt) else "prompt",
            )
        return PreparedRequest(request, tokens, arrival)

    def _tokens(self, prompt: Prompt) -> TokenArray:
        if isinstance(prompt, ChatPrompt):
            text = self._template.render(prompt.messages, prompt.template_kwargs)
            writes_bos = bool(self._bos_text) and text.startswith(self._bos_text)
            return self._tokenizer.encode(text, parse_special=True, add_bos=not writes_bos)
        if isinstance(prompt, TextPrompt):
            return self._tokenizer.encode(prompt.text, parse_special=True, add_bos=True)
        if isinstance(prompt, FillPrompt):
            return self._fill(prompt)
        return np.array(prompt.tokens, np.int32)

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
