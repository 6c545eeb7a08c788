"""What a route says of itself to the OpenAPI document, beside its handler.

A route is described by one more argument of its decorator; its summary is the first line of its docstring, its
parameters are those of the function:

    @post("/v1/score", status_code=200, operation=Operation(takes=ScoreRequest, gives=ScoresWire, example={...}))

A test finds every served route that says nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The body that a route takes and what it answers, as types that msgspec knows; None: no body.

    `gives` may be a tuple of types, any of which is the answer. `streams` is the type of each event where the route can
    answer with a stream, of the media type `stream_type`; `also` are further answers that are no errors, by status.
    `example` is a body that the route accepts. `query` adds parameters that the handler reads by itself.
    """

    takes: Any = None
    takes_type: str = "application/json"
    example: Mapping[str, Any] | None = None
    gives: Any = None
    gives_type: str = "application/json"
    streams: Any = None
    stream_type: Literal["text/event-stream", "application/x-ndjson"] = "text/event-stream"
    also: Mapping[int, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
