"""The routes of answers that come whole, and of the cache that keeps them."""

from collections.abc import Mapping, Sequence

import msgspec

from appliance.core.response_cache import CacheFigures, ClearedCache

from .transport import Transport


class _Embedding(msgspec.Struct, frozen=True):
    embedding: list[float]


class _Embeddings(msgspec.Struct, frozen=True):
    data: list[_Embedding]


class AnswerCalls:
    """Part of the client. Every method raises: NoDaemon, ClientError."""

    _transport: Transport

    def response_cache(self) -> CacheFigures:
        """Return what the response cache holds and saved."""
        return self._transport.call("GET", "/admin/v1/cache", CacheFigures)

    def clear_response_cache(self) -> ClearedCache:
        """Forget all answers."""
        return self._transport.call("DELETE", "/admin/v1/cache", ClearedCache)

    def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """Return the embedding of each text."""
        answer = self._transport.call("POST", "/v1/embeddings", _Embeddings, {"model": model, "input": list(texts)})
        return [row.embedding for row in answer.data]

    def complete_chat(self, body: Mapping[str, object]) -> dict[str, object]:
        """Return the answer to a body of OpenAI's chat completions, as it came."""
        return self._transport.call("POST", "/v1/chat/completions", dict[str, object], body)
