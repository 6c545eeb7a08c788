"""What the tests of the Responses API share: bodies, scripts that think and call, and events checked by their types."""

import json
from typing import Any

import httpx
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from appliance.core.events import RequestEvent, ToolCallDelta
from appliance.core.request import GenerateRequest
from appliance.errors import ApplianceError
from tests.fakes import accepted, delta, finished

PATH = "/v1/responses"
CITY: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER: dict[str, Any] = {"type": "function", "name": "weather", "description": "Tell it.", "parameters": CITY}
SHELL: dict[str, Any] = {"type": "custom", "name": "shell", "description": "Run a command."}
Script = list[RequestEvent | ApplianceError]

_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def events_of(text: str) -> list[dict[str, Any]]:
    """The events of a stream, each one as the `openai` package's types have it, with its name above it."""
    events = []
    for frame in text.strip().split("\n\n"):
        lines = [line for line in frame.split("\n") if not line.startswith(":")]
        if not any(lines):
            continue
        name, data = lines
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        _EVENT.validate_python(event)
        if "response" in event:
            Response.model_validate(event["response"])
        events.append(event)
    return events


def stream_of(http: httpx.Client, **body: Any) -> list[dict[str, Any]]:
    """The events that a request is answered with."""
    response = http.post(PATH, json={"input": "Hi", "stream": True, **body})
    assert response.status_code == 200, response.text
    return events_of(response.text)


def short(events: list[dict[str, Any]]) -> list[str]:
    """The names of events, without what all of them begin with."""
    return [event["type"].removeprefix("response.") for event in events]


def call(index: int, name: str | None, arguments: str) -> ToolCallDelta:
    return ToolCallDelta(index, f"call_{index}" if name else None, name, arguments)


def thinks_speaks_and_calls(request: GenerateRequest) -> Script:
    return [
        accepted(request),
        delta(request, "", reasoning="Let me "),
        delta(request, "", reasoning="see."),
        delta(request, "\n\n"),
        delta(request, "I will "),
        delta(request, "look."),
        delta(request, "", tool_calls=(call(0, "weather", ""),)),
        delta(request, "", tool_calls=(call(0, None, '{"city": '),)),
        delta(request, "", tool_calls=(call(0, None, '"Rome"}'),)),
        delta(request, "", tool_calls=(call(1, "shell", '{"input": "ls'),)),
        delta(request, "", tool_calls=(call(1, None, ' \\"a\\""}'),)),
        finished(request, reason="tool_calls", completion_tokens=20, reasoning_tokens=5),
    ]
