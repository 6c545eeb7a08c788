import asyncio
import json

import pytest

from tests.bench import serve
from tests.bench.stream import Server, Stream, stream

EVENTS = (
    b'data: {"choices":[{"text":"one"}]}\n\n',
    b'data: {"choices":[{"text":" two"}]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"details":{"cached_tokens":0}}}\n\n',
    b"data: [DONE]\n\n",
)
ERROR = b'data: {"error":{"message":"broken"}}\n\n'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


class FakeServer:
    """Answers every request with the same parts and keeps what it was asked."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.heads: list[str] = []
        self.bodies: list[dict[str, object]] = []

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line.split()[1]) for line in head.splitlines() if line.startswith("Content-Length"))
        self.heads.append(head)
        self.bodies.append(json.loads(await reader.readexactly(length)))
        for part in self.parts:
            writer.write(part)
            await writer.drain()
        writer.close()
        await writer.wait_closed()


def ask(server: FakeServer, *, model: str | None = None, key: str | None = None) -> Stream:
    async def work() -> Stream:
        async with server as url:
            return await stream(Server(url, model, key), "/v1/completions", {"prompt": "hi"})

    return asyncio.run(work())


def test_tokens_are_those_of_the_usage_and_times_those_of_the_text() -> None:
    answer = ask(FakeServer(HEAD, *EVENTS))
    assert (answer.prompt_tokens, answer.completion_tokens, answer.error) == (7, 5, None)
    assert answer.num_texts == 2
    assert 0 < answer.time_to_first_text_s <= answer.end_s - answer.start_s
    assert len(answer.gaps_s) == len(answer.arrivals_s) - 1


def test_an_answer_in_scraps_is_read_all_the_same() -> None:
    whole = HEAD + b"".join(EVENTS)
    assert ask(FakeServer(*(whole[i : i + 9] for i in range(0, len(whole), 9)))).completion_tokens == 5


def test_a_request_names_model_and_key_only_when_given() -> None:
    plain, full = FakeServer(HEAD, *EVENTS), FakeServer(HEAD, *EVENTS)
    ask(plain)
    ask(full, model="m", key="secret")
    assert plain.heads[0].startswith("POST /v1/completions HTTP/1.1")
    assert "Authorization" not in plain.heads[0]
    assert "model" not in plain.bodies[0]
    assert "Authorization: Bearer secret" in full.heads[0]
    assert full.bodies[0] == {
        "model": "m",
        "prompt": "hi",
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_an_answer_that_breaks_off_counts_the_text_it_gave_and_says_why() -> None:
    answer = ask(FakeServer(HEAD, EVENTS[0], ERROR))
    assert answer.completion_tokens == 1
    assert answer.error is not None
    assert "broken" in answer.error


def test_a_refused_request_stops_the_measurement() -> None:
    with pytest.raises(ConnectionError, match="404 Not Found"):
        ask(FakeServer(b"HTTP/1.1 404 Not Found\r\n\r\n"))


def test_both_servers_answer_equally_often_and_every_prompt_is_new() -> None:
    first, second = FakeServer(HEAD, *EVENTS), FakeServer(HEAD, *EVENTS)

    async def work() -> list[dict[str, object]]:
        async with first as a, second as b:
            return await serve.run(
                serve.parse(["--a", a, "--b", b, "--streams", "1,3", "--rounds", "2", "--tokens", "5", "--json"])
            )

    results = asyncio.run(work())
    assert [figures["streams"] for figures in results] == [1, 3]
    assert len(second.bodies) == 3 * (1 + 3)
    prompts = [body["prompt"] for body in first.bodies + second.bodies]
    assert len(set(prompts)) == len(prompts) == 2 * len(second.bodies) + 1
    assert results[0]["a"]["num_short_answers"] == 0
