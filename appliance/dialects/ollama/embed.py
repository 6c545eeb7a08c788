"""`POST /api/embed`, and `POST /api/embeddings` as older clients send it: texts in, vectors out."""

import struct
from typing import Annotated

import msgspec
from msgspec import Meta

from appliance.core.request import EncodeRequest, RequestId, TextPrompt
from appliance.dialects.rows import Rows
from appliance.errors import InvalidRequest

from .keep_alive import KeepAlive, keep_alive_s
from .moments import Stamps

MAX_INPUTS = 2048


class EmbedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of the request. A text that is too long is cut off, unless `truncate` is false."""

    input: str | list[str] = ""
    model: str | None = None
    truncate: bool | None = None
    dimensions: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    keep_alive: KeepAlive | None = None

    @property
    def texts(self) -> list[str]:
        """The inputs; nothing but an empty text is none."""
        return [self.input] if isinstance(self.input, str) and self.input else list(self.input)


class EmbeddingsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of the older request."""

    prompt: str = ""
    model: str | None = None
    keep_alive: KeepAlive | None = None


class EmbedWire(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, in the order of the inputs."""

    model: str
    embeddings: list[tuple[float, ...]]
    total_duration: int
    load_duration: int
    prompt_eval_count: int


class EmbeddingsWire(msgspec.Struct, frozen=True, kw_only=True):
    """The older answer."""

    embedding: tuple[float, ...]


def embed_to_core(wire: EmbedRequest, id: RequestId, model: str) -> EncodeRequest:
    """Return the request. Raises: InvalidRequest, with the field."""
    texts = wire.texts
    if len(texts) > MAX_INPUTS:
        raise InvalidRequest(f"'input' holds {len(texts)} texts; at most {MAX_INPUTS}", param="input")
    return EncodeRequest(
        id=id,
        model=model,
        task="embed",
        inputs=tuple(TextPrompt(text=text) for text in texts),
        dimensions=wire.dimensions or None,
        truncates=wire.truncate is not False,
        keep_alive_s=keep_alive_s(wire.keep_alive),
    )


def embeddings_to_core(wire: EmbeddingsRequest, id: RequestId, model: str) -> EncodeRequest:
    """Return the request. Raises: InvalidRequest, with the field."""
    return embed_to_core(EmbedRequest(input=wire.prompt, keep_alive=wire.keep_alive), id, model)


def embedded(rows: Rows, model: str, stamps: Stamps) -> bytes:
    """Return the answer of `POST /api/embed` as JSON. What the load took is not known apart."""
    return msgspec.json.encode(
        EmbedWire(
            model=model,
            embeddings=[_numbers(row) for row in rows.in_order()],
            total_duration=stamps.total_ns,
            load_duration=0,
            prompt_eval_count=rows.num_prompt_tokens,
        )
    )


def embedded_one(rows: Rows) -> bytes:
    """Return the answer of `POST /api/embeddings` as JSON."""
    return msgspec.json.encode(EmbeddingsWire(embedding=next(map(_numbers, rows.in_order()), ())))


def _numbers(row: memoryview) -> tuple[float, ...]:
    return struct.unpack(f"<{len(row) // 4}f", row)
