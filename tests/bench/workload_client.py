"""What a workload asks of a server: prompts that no cache has seen, and answers with all that was measured of them."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from tests.bench.peers import Peer
from tests.bench.serve import random_prompt as random_words
from tests.bench.stream import Server, Stream

SAMPLING: dict[str, Any] = {"temperature": 0.8, "top_k": 40, "top_p": 0.95}
GREEDY: dict[str, Any] = {"temperature": 0.0}


@dataclass
class Answer(Stream):
    """A streamed answer that also says what the server counted of its caches and of its guesses."""

    on_text: Callable[[], None] = lambda: None
    _body: bytearray = field(default_factory=bytearray)

    def data_received(self, data: bytes) -> None:
        self._body += data
        num_before = self.num_texts
        super().data_received(data)
        if self.num_texts > num_before:
            self.on_text()

    def close(self) -> None:
        """Break the connection off, so that the server stops working on an answer that nobody waits for."""
        self.done.cancel()
        self._transport.abort()

    @property
    def cached_tokens(self) -> int:
        return self._last_number(rb'"(?:cached_tokens|cache_n)":\s*(\d+)')

    @property
    def num_drafted(self) -> int:
        return self._last_number(rb'"draft_n":\s*(\d+)')

    @property
    def num_accepted(self) -> int:
        return self._last_number(rb'"draft_n_accepted":\s*(\d+)')

    @property
    def decode_tokens_per_s(self) -> float:
        """Tokens after the first text, by the time that they took."""
        duration_s = self.end_s - self.start_s - self.time_to_first_text_s
        return max(self.completion_tokens - 1, 0) / max(duration_s, 1e-9)

    def text(self) -> str:
        """Return the text of a chat's answer."""
        deltas = (event["choices"][0]["delta"] for event in self._events() if event.get("choices"))
        return "".join(delta.get("content") or "" for delta in deltas)

    def _events(self) -> Iterator[dict[str, Any]]:
        response = HTTPResponse(_Received(bytes(self._body)))
        with suppress(HTTPException):
            response.begin()
            for line in response.read().splitlines():
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])


@dataclass
class Site:
    """One server with what is needed to ask it, and every answer of the turn so far.

    `ids` are the token ids that prompts are drawn from; `tokens_per_word` is of random words in this model.
    `plain` are the fields of a request, if there are such, that switch speculation off.
    """

    server: Server
    ids: range
    rng: random.Random
    other_key: str | None = None
    plain: dict[str, Any] | None = None
    peer: Peer | None = None
    tokens_per_word: float | None = None
    answers: list[tuple[Answer, int]] = field(default_factory=list)

    @property
    def num_short_answers(self) -> int:
        """Return how many answers broke off, or had another length than asked."""
        return sum(answer.error is not None or answer.completion_tokens != asked for answer, asked in self.answers)

    def fresh(self, num_tokens: int) -> list[int]:
        """Return random token ids."""
        return self.rng.choices(self.ids, k=num_tokens)

    def words(self, num_tokens: int) -> str:
        """Return random words that make about as many tokens."""
        return random_words(self.rng, max(1, round(num_tokens / (self.tokens_per_word or 1.0))))

    async def learn_words(self) -> None:
        """Ask how many tokens a random word has."""
        answer = await self.complete(random_words(self.rng, 100), 1)
        self.tokens_per_word = max(1.0, answer.prompt_tokens / 100)

    async def complete(
        self, prompt: str | list[int], max_tokens: int, on_text: Callable[[], None] = lambda: None, **fields: Any
    ) -> Answer:
        """Return the answer to a completion of exactly `max_tokens`. Raises: ConnectionError."""
        return await self._ask("/v1/completions", {"prompt": prompt, **SAMPLING, **fields}, max_tokens, on_text)

    async def chat(self, messages: list[dict[str, str]], max_tokens: int, **fields: Any) -> Answer:
        """Return the answer to a chat, of exactly `max_tokens`. Raises: ConnectionError."""
        body = {"messages": messages, **SAMPLING, **fields}
        return await self._ask("/v1/chat/completions", body, max_tokens, lambda: None)

    async def _ask(self, path: str, body: dict[str, Any], max_tokens: int, on_text: Callable[[], None]) -> Answer:
        server = self.server
        if body.pop("is_other_caller", False) and self.other_key is not None:
            server = Server(server.base_url, server.model, self.other_key)
        streamed = {"stream": True, "stream_options": {"include_usage": True}}
        request = server.request(path, {**body, **streamed, "max_tokens": max_tokens, "ignore_eos": True})
        url = urlsplit(server.base_url)
        _, answer = await asyncio.get_running_loop().create_connection(
            lambda: Answer(request, on_text=on_text), url.hostname or "", url.port or 80
        )
        try:
            await answer.done
        finally:
            answer.close()
        self.answers.append((answer, max_tokens))
        return answer


@dataclass(frozen=True)
class _Received:
    """Bytes that were received, as `http.client` wants to see a socket."""

    data: bytes

    def makefile(self, _mode: str) -> BytesIO:
        return BytesIO(self.data)
