"""`/v1/messages`: a message, and what its prompt would cost."""

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.types import ASGIApp

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.queueing import queue_comment
from appliance.api.reply import Manner, reply
from appliance.api.respond import json_response
from appliance.api.sse import SSE, StreamTiming
from appliance.dialects.anthropic.errors import Envelope, error_event
from appliance.dialects.anthropic.events import StreamEvent
from appliance.dialects.anthropic.message import MessageBody, message, telling_of
from appliance.dialects.anthropic.messages import (
    MessagesRequest,
    PromptFields,
    TokenCount,
    count_to_core,
    messages_to_core,
)
from appliance.dialects.anthropic.stream import MessageStream
from appliance.service.generate import Generation
from appliance.service.installed import Installed
from appliance.service.normalizing import Normalizing
from appliance.service.vocabulary import Vocabularies
from appliance.settings import ServerSettings

from .inference import new_id


@post(
    "/v1/messages",
    status_code=200,
    operation=Operation(
        takes=MessagesRequest,
        gives=MessageBody,
        streams=StreamEvent | Envelope,
        example={"max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]},
    ),
)
async def create_message(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    generation: NamedDependency[Generation],
    normalizing: NamedDependency[Normalizing],
    timing: NamedDependency[StreamTiming],
) -> ASGIApp:
    """Answer a conversation."""
    wire = normalizing.apply(await read_json(request, MessagesRequest, server.max_body_bytes))
    id, model = new_id(), installed.resolve_for("generate", wire.model)
    core, telling = messages_to_core(wire, id, model), telling_of(wire, id, model)
    stream = MessageStream(telling)
    request_id: str = request.state.request_id
    return await reply(
        request,
        [core],
        generation,
        timing,
        user=wire.user,
        stream=stream if wire.stream else None,
        whole=lambda answer: message(answer, telling),
        manner=Manner(
            media_type=SSE,
            error=lambda error: error_event(error, request_id),
            # Before there is a message, a comment says where the request stands in the queue
            silence=lambda place: stream.silence() or queue_comment(place),
        ),
    )


@post(
    "/v1/messages/count_tokens",
    status_code=200,
    operation=Operation(
        takes=PromptFields, gives=TokenCount, example={"messages": [{"role": "user", "content": "Hello"}]}
    ),
)
async def count_tokens(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    vocabularies: NamedDependency[Vocabularies],
    normalizing: NamedDependency[Normalizing],
) -> Response[bytes]:
    """Answer with the number of tokens that a message with this prompt is charged for."""
    wire = normalizing.apply(await read_json(request, PromptFields, server.max_body_bytes))
    model = installed.resolve_for("generate", wire.model)
    read = await vocabularies.read(count_to_core(wire, new_id(), model))
    return json_response(TokenCount(input_tokens=read.num_tokens))
