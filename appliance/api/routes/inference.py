"""`/v1`: chat completions, completions, models."""

import time
import uuid

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ASGIApp

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.reply import reply
from appliance.api.respond import json_response
from appliance.api.sse import StreamTiming
from appliance.core.request import RequestId
from appliance.dialects.openai.chat import ChatRequest, chat_to_core
from appliance.dialects.openai.chat_reply import ChatChunks, chat_completion
from appliance.dialects.openai.completions import CompletionRequest, completion_to_core
from appliance.dialects.openai.completions_reply import CompletionChunks, completion
from appliance.dialects.openai.models import ModelListWire, model_wire
from appliance.dialects.openai.reply import ReplyStream
from appliance.service.care import ModelCare
from appliance.service.generate import Generation
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
    core = chat_to_core(wire, id, model)
    chunks = ChatChunks(id, model, created_s, includes_usage=wire.includes_usage)
    return await reply(
        request,
        [core],
        generation,
        timing,
        user=wire.user,
        stream=ReplyStream(chunks, core.num_choices, includes_usage=wire.includes_usage) if wire.stream else None,
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
    cores = completion_to_core(wire, id, model)
    chunks = CompletionChunks(id, model, created_s, includes_usage=wire.includes_usage)
    return await reply(
        request,
        cores,
        generation,
        timing,
        user=wire.user,
        stream=ReplyStream(chunks, cores[0].num_choices, includes_usage=wire.includes_usage) if wire.stream else None,
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
