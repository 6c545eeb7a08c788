"""What the tests of Anthropic's dialect share: its library's clients, and scripts that think, speak and call."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx2
import msgspec
from anthropic import Anthropic, AsyncAnthropic

from appliance.core.events import Delta, Finished, RequestEvent, ToolCallDelta
from appliance.core.request import GenerateRequest
from appliance.errors import ApplianceError
from tests.fakes import accepted, delta, finished

HI: list[Any] = [{"role": "user", "content": "Hi"}]
BODY: dict[str, Any] = {"model": "guide", "max_tokens": 100, "messages": HI}
WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "Tell the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@contextmanager
def client(url: str, **options: Any) -> Iterator[Anthropic]:
    options = {"api_key": "none", "max_retries": 0, "timeout": 20} | options
    with (
        httpx2.Client(verify=False, trust_env=False) as transport,
        Anthropic(base_url=url, http_client=transport, **options) as anthropic,
    ):
        yield anthropic


@asynccontextmanager
async def async_client(url: str) -> AsyncIterator[AsyncAnthropic]:
    async with (
        httpx2.AsyncClient(verify=False, trust_env=False) as transport,
        AsyncAnthropic(base_url=url, http_client=transport, api_key="none", max_retries=0, timeout=20) as anthropic,
    ):
        yield anthropic


def thought(request: GenerateRequest, text: str) -> Delta:
    return msgspec.structs.replace(delta(request, ""), reasoning=text)


def called(request: GenerateRequest, index: int, id: str | None, name: str | None, arguments: str) -> Delta:
    return msgspec.structs.replace(delta(request, ""), tool_calls=(ToolCallDelta(index, id, name, arguments),))


def stopped_at(request: GenerateRequest, stop_string: str) -> Finished:
    return msgspec.structs.replace(finished(request), stop_string=stop_string)


def thinks_speaks_and_calls(request: GenerateRequest) -> list[RequestEvent | ApplianceError]:
    """Thoughts, a text and two calls, each in two pieces."""
    return [
        accepted(request),
        thought(request, "They ask "),
        thought(request, "about the weather."),
        delta(request, "Let me "),
        delta(request, "look."),
        called(request, 0, "call_a", "weather", ""),
        called(request, 0, None, None, '{"city": '),
        called(request, 0, None, None, '"Paris"}'),
        called(request, 1, "call_b", "weather", '{"city": "Rom'),
        called(request, 1, None, None, 'e"}'),
        finished(request, reason="tool_calls", completion_tokens=9),
    ]
