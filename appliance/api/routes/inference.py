"""`/v1`: chat completions and completions."""

import time
import uuid

from litestar import post
from litestar.di import NamedDependency
from litestar.types import ASGIApp

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.reply import reply
from appliance.api.sse import StreamTiming
from appliance.core.request import RequestId
from appliance.dialects.openai.chat import ChatRequest, chat_to_core, shape_of
from appliance.dialects.openai.chat_reply import ChatChunks, chat_completion
from appliance.dialects.openai.chat_wire import ChatChunk, ChatCompletion
from appliance.dialects.openai.completions import CompletionRequest, completion_shape, completion_to_core
from appliance.dialects.openai.completions_reply import Completion, CompletionChunks, completion
from appliance.dialects.openai.reply import ReplyStream
from appliance.service.generate import Generation
from appliance.service.installed import Installed
from appliance.service.normalizing import Normalizing
from appliance.settings import ServerSettings


@post(
    "/v1/chat/completions",
    status_code=200,
    operation=Operation(
        takes=ChatRequest,
        gives=ChatCompletion,
        streams=ChatChunk,
        example={"messages": [{"role": "user", "content": "Hello"}]},
    ),
)
async def chat_completions(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    generation: NamedDependency[Generation],
    normalizing: NamedDependency[Normalizing],
    timing: NamedDependency[StreamTiming],
) -> ASGIApp:
    """Answer a conversation."""
    wire = normalizing.apply(await read_json(request, ChatRequest, server.max_body_bytes))
    id, created_s, model = new_id(), int(time.time()), installed.resolve_for("generate", wire.model)
    core, shape = chat_to_core(wire, id, model), shape_of(wire)
    chunks = ChatChunks(id, model, created_s, includes_usage=wire.includes_usage, shape=shape)
    stream = ReplyStream(chunks, core.num_choices, includes_usage=wire.includes_usage)
    return await reply(
        request,
        [core],
        generation,
        timing,
        user=wire.end_user,
        stream=stream if wire.stream else None,
        whole=lambda answer: chat_completion(answer, id, model, created_s, shape),
    )


@post(
    "/v1/completions",
    status_code=200,
    operation=Operation(
        takes=CompletionRequest,
        gives=Completion,
        streams=Completion,
        example={"prompt": "Once upon a time", "max_tokens": 32},
    ),
)
async def completions(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    generation: NamedDependency[Generation],
    timing: NamedDependency[StreamTiming],
) -> ASGIApp:
    """Continue one or many prompts."""
    wire = await read_json(request, CompletionRequest, server.max_body_bytes)
    id, created_s, model = new_id(), int(time.time()), installed.resolve_for("generate", wire.model)
    cores = completion_to_core(wire, id, model)
    shape = completion_shape(wire, cores)
    chunks = CompletionChunks(id, model, created_s, includes_usage=wire.includes_usage)
    stream = ReplyStream(chunks, shape.n, includes_usage=wire.includes_usage, ids=shape.ids)
    return await reply(
        request,
        cores,
        generation,
        timing,
        user=wire.user,
        stream=stream if wire.stream else None,
        whole=lambda answer: completion(answer, id, model, created_s, shape),
    )


def new_id() -> RequestId:
    """Return an id that no other request has."""
    return RequestId(uuid.uuid4().hex)
