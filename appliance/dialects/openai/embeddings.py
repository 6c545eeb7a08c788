"""`POST /v1/embeddings`: texts or token ids in, vectors out."""

import base64
import struct
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from appliance.core.request import EncodeRequest, InputRole, Priority, RequestId, TextPrompt, TokenPrompt
from appliance.dialects.rows import Rows
from appliance.errors import InvalidRequest

from .completions import Tokens
from .sampling import Positive, TokenId

# Source: OpenAI's API reference, "Create embeddings": the length of an array of inputs
MAX_INPUTS = 2048


class EmbeddingsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of the request. `input_type` is for models with an instruction before each kind of text."""

    input: str | Annotated[list[str | TokenId | Tokens], Meta(min_length=1)]
    model: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Positive | None = None
    user: Annotated[str, Meta(max_length=256)] | None = None
    input_type: InputRole | None = None
    priority: Priority | None = None
    deadline_s: Annotated[float, Meta(gt=0)] | None = None


class EmbeddingWire(msgspec.Struct, frozen=True, kw_only=True):
    """One vector: numbers, or the base64 of them as 32-bit floats, little-endian."""

    index: int
    embedding: tuple[float, ...] | str
    object: str = "embedding"


class EmbeddingUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that were read; nothing is generated."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsWire(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: a vector for each input, in the order of the inputs."""

    data: list[EmbeddingWire]
    model: str
    usage: EmbeddingUsage
    object: str = "list"


def embeddings_to_core(wire: EmbeddingsRequest, id: RequestId, model: str) -> EncodeRequest:
    """Return the request. Raises: InvalidRequest, with the field."""
    return EncodeRequest(
        id=id,
        model=model,
        task="embed",
        inputs=_inputs(wire),
        role=wire.input_type,
        dimensions=wire.dimensions,
        priority=wire.priority or "normal",
        deadline_s=wire.deadline_s,
    )


def embeddings(wire: EmbeddingsRequest, rows: Rows, model: str) -> bytes:
    """Return the answer as JSON."""
    write = _numbers if wire.encoding_format == "float" else _base64
    num_tokens = rows.num_prompt_tokens
    return msgspec.json.encode(
        EmbeddingsWire(
            data=[EmbeddingWire(index=index, embedding=write(row)) for index, row in enumerate(rows.in_order())],
            model=model,
            usage=EmbeddingUsage(prompt_tokens=num_tokens, total_tokens=num_tokens),
        )
    )


def _numbers(row: memoryview) -> tuple[float, ...]:
    return struct.unpack(f"<{len(row) // 4}f", row)


def _base64(row: memoryview) -> str:
    return base64.b64encode(row).decode("ascii")


def _inputs(wire: EmbeddingsRequest) -> tuple[TextPrompt | TokenPrompt, ...]:
    """Return the inputs: a string, strings, token ids, or lists of token ids; OpenAI takes no empty string either."""
    if isinstance(wire.input, str):
        return (_text(wire.input, "input"),)
    if all(isinstance(item, int) for item in wire.input):
        return (TokenPrompt(tokens=tuple(item for item in wire.input if isinstance(item, int))),)
    if len(wire.input) > MAX_INPUTS:
        raise InvalidRequest(f"'input' holds {len(wire.input)} inputs; at most {MAX_INPUTS}", param="input")
    inputs: list[TextPrompt | TokenPrompt] = []
    for index, item in enumerate(wire.input):
        if isinstance(item, str):
            inputs.append(_text(item, f"input[{index}]"))
        elif isinstance(item, list):
            inputs.append(TokenPrompt(tokens=tuple(item)))
        else:
            raise InvalidRequest("'input' mixes token ids with texts or lists", param="input")
    if len({type(each) for each in inputs}) > 1:
        raise InvalidRequest("'input' mixes texts and lists of token ids", param="input")
    return tuple(inputs)


def _text(text: str, param: str) -> TextPrompt:
    if not text:
        raise InvalidRequest(f"'{param}' is an empty string", param=param)
    return TextPrompt(text=text)
