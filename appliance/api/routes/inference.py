"""`/v1`: chat completions, completions, models."""

import time
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ASGIApp

from appliance.api.access import refine
from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.queueing import queue_comment, queue_headers
from appliance.api.respond import caller_of, json_reply, json_response
from appliance.api.sse import SseResponse, StreamTiming, unless_gone
from appliance.core.request import GenerateRequest, RequestId
from appliance.dialects.openai.chat import ChatRequest, chat_to_core
from appliance.dialects.openai.chat_reply import ChatChunks, chat_completion
from appliance.dialects.openai.completions import CompletionRequest, completion_to_core
from appliance.dialects.openai.completions_reply import CompletionChunks, completion
from appliance.dialects.openai.errors import error_event
from appliance.dialects.openai.models import ModelListWire, model_wire
from appliance.dialects.openai.reply import Answer, ChunkWriter, ReplyStream
from appliance.dialects.openai.sampling import GenerationFields
from appliance.service.care import ModelCare
from appliance.service.generate import EventStream, Generation
from appliance.service.installed import Installed
from appliance.settings import ServerSettings


@post("/v1/chat/completions", status_code=200)
async def chat_completions(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    generation: NamedDependency[Generation],
    timing: NamedDependency[StreamTiming],
) -> ASGIApp:
    """Answer a conversation."""
    wire = await read_json(request, ChatRequest, server.max_body_bytes)
    id, created_s, model = new_id(), int(time.time()), installed.resolve_for("generate", wire.model)
    return await reply(
        request,
        wire,
        [chat_to_core(wire, id, model)],
        generation,
        timing,
        chunks=ChatChunks(id, model, created_s, includes_usage=wire.includes_usage),
        whole=lambda answer: chat_completion(answer, id, model, created_s),
    )


@post("/v1/completions", status_code=200)
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
    return await reply(
        request,
        wire,
        completion_to_core(wire, id, model),
        generation,
        timing,
        chunks=CompletionChunks(id, model, created_s, includes_usage=wire.includes_usage),
        whole=lambda answer: completion(answer, id, model, created_s),
    )


@get("/v1/models", sync_to_thread=False)
def list_models(care: NamedDependency[ModelCare]) -> Response[bytes]:
    """Answer with the models that can be used now."""
    return json_response(ModelListWire(data=tuple(model_wire(model) for model in care.models())))


@get("/v1/models/{name:path}", sync_to_thread=False)
def get_model(name: FromPath[str], care: NamedDependency[ModelCare]) -> Response[bytes]:
    """Answer with one model."""
    return json_response(model_wire(care.model(name.lstrip("/"))))


def new_id() -> RequestId:
    """Return an id that no other request has."""
    return RequestId(uuid.uuid4().hex)


async def reply(
    request: HttpRequest,
    wire: GenerationFields,
    cores: Sequence[GenerateRequest],
    generation: Generation,
    timing: StreamTiming,
    *,
    chunks: ChunkWriter,
    whole: Callable[[Answer], bytes],
) -> ASGIApp:
    """Let the engine work and answer as the caller asked: with a stream of `chunks`, or `whole`."""
    n = cores[0].num_choices
    events = generation.generate(cores, refine(caller_of(request), wire.user))
    headers = queue_headers(events.queue_place)
    if wire.stream:
        stream = ReplyStream(chunks, n, includes_usage=wire.includes_usage)
        return SseResponse(
            written(events, stream),
            error_event,
            timing,
            headers=headers,
            comment=lambda: queue_comment(events.queue_place),
        )
    answer = Answer(n, len(cores))
    await unless_gone(request.receive, gather(events, answer))
    return json_reply(whole(answer), headers)


async def written(events: EventStream, reply: ReplyStream) -> AsyncGenerator[bytes, None]:
    """Yield what is to be sent; closing the generator frees what the call holds."""
    try:
        async for event in events:
            if data := reply.add(event):
                yield data
        yield reply.end()
    finally:
        events.cancel()


async def gather(events: EventStream, answer: Answer) -> None:
    """Take all events of a call into its answer."""
    try:
        async for event in events:
            answer.add(event)
    finally:
        events.cancel()
