"""`/tokenize`, `/detokenize` and `/apply-template`, as llama-server and vLLM speak them.

The two tell themselves apart: llama-server's clients send `content`, vLLM's a `prompt` or `messages`.
Sources: the README of llama-server; vLLM, "Tokenizer API" of its OpenAI-compatible server.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from appliance.core.events import PromptRead
from appliance.core.request import ChatPrompt, ReadRequest, RequestId, TextPrompt, TokenPrompt
from appliance.errors import InvalidRequest

from .openai.chat import ChatRequest, chat_to_core
from .openai.sampling import TokenId


class TokenizeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /tokenize`: one of `content` (llama-server), `prompt` and `messages` (vLLM).

    `messages` come with the other fields of a chat completion. `with_pieces` and `return_token_strs` ask for the text
    of each token, `add_special` and `add_special_tokens` for what the model expects around a text.
    """

    model: str | None = None
    content: str | None = None
    prompt: str | None = None
    messages: list[Any] | None = None
    add_special: bool = False
    parse_special: bool = True
    with_pieces: bool = False
    add_special_tokens: bool = True
    return_token_strs: bool = False


class DetokenizeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /detokenize`."""

    tokens: Annotated[list[TokenId], Meta(max_length=2**20)]
    model: str | None = None


class PieceWire(msgspec.Struct, frozen=True, kw_only=True):
    """A token and its text, or its bytes where they are not whole UTF-8."""

    id: int
    piece: str | list[int]


class TokensWire(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `content`."""

    tokens: list[int | PieceWire]


class CountWire(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a `prompt` or `messages`. `max_model_len` is the context that a sequence has here."""

    count: int
    max_model_len: int | None
    tokens: list[int]
    token_strs: list[str] | None = None


class DetokenizedWire(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `POST /detokenize`: the text by llama-server's name and by vLLM's."""

    content: str
    prompt: str


class TemplateWire(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `POST /apply-template`."""

    prompt: str


def tokenize_to_core(wire: TokenizeRequest, id: RequestId, model: str) -> ReadRequest:
    """Return what is to be read of a text. Raises: InvalidRequest."""
    text = wire.prompt if wire.content is None else wire.content
    if text is None:
        raise InvalidRequest("'content' is required, or 'prompt', or 'messages'", param="content")
    return ReadRequest(
        id=id,
        model=model,
        prompt=TextPrompt(text=text),
        wants=_wants(wire),
        parses_special=wire.parse_special,
        adds_special=wire.add_special_tokens if wire.content is None else wire.add_special,
    )


def chat_tokenize_to_core(wire: TokenizeRequest, chat: ChatRequest, id: RequestId, model: str) -> ReadRequest:
    """Return what is to be read of a conversation. Raises: InvalidRequest, with the field."""
    return ReadRequest(id=id, model=model, prompt=_conversation(chat, id, model), wants=_wants(wire))


def template_to_core(wire: ChatRequest, id: RequestId, model: str) -> ReadRequest:
    """Return the question for a conversation's text. Raises: InvalidRequest, with the field."""
    return ReadRequest(id=id, model=model, prompt=_conversation(wire, id, model), wants="text")


def detokenize_to_core(wire: DetokenizeRequest, id: RequestId, model: str) -> ReadRequest:
    """Return the question for the tokens' text."""
    return ReadRequest(id=id, model=model, prompt=TokenPrompt(tokens=tuple(wire.tokens)), wants="text")


def tokens_wire(wire: TokenizeRequest, read: PromptRead, max_context_tokens: int | None) -> TokensWire | CountWire:
    """Return the answer in the shape of the question."""
    tokens = list(read.tokens)
    if wire.content is None:
        texts = [piece.decode(errors="replace") for piece in read.pieces] if wire.return_token_strs else None
        return CountWire(count=len(tokens), max_model_len=max_context_tokens, tokens=tokens, token_strs=texts)
    if not wire.with_pieces:
        return TokensWire(tokens=[*tokens])
    pairs = zip(tokens, read.pieces, strict=True)
    return TokensWire(tokens=[PieceWire(id=token, piece=_spelled(piece)) for token, piece in pairs])


def _wants(wire: TokenizeRequest) -> Literal["tokens", "pieces"]:
    return "pieces" if wire.with_pieces or wire.return_token_strs else "tokens"


def _conversation(wire: ChatRequest, id: RequestId, model: str) -> ChatPrompt:
    if wire.add_generation_prompt is False and not wire.continue_final_message:
        # No answer can be had of such a prompt, and here none is wanted
        kwargs = {**(wire.chat_template_kwargs or {}), "add_generation_prompt": False}
        wire = msgspec.structs.replace(wire, add_generation_prompt=None, chat_template_kwargs=kwargs)
    prompt = chat_to_core(wire, id, model).prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt


def _spelled(piece: bytes) -> str | list[int]:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return list(piece)
