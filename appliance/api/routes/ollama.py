"""`/api`: chat, generate and embeddings as Ollama's clients ask for them."""

import time

from litestar import post
from litestar.di import NamedDependency
from litestar.types import ASGIApp

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.reply import Manner, reply, rows_of
from appliance.api.respond import json_reply
from appliance.api.sse import NDJSON, StreamTiming, unless_gone
from appliance.dialects.normalizers import ModelFacts
from appliance.dialects.ollama.call import CallFields, check_template
from appliance.dialects.ollama.chat import ChatRequest, chat_to_core
from appliance.dialects.ollama.embed import (
    EmbeddingsRequest,
    EmbeddingsWire,
    EmbedRequest,
    EmbedWire,
    embed_to_core,
    embedded,
    embedded_one,
    embeddings_to_core,
)
from appliance.dialects.ollama.errors import ErrorWire, error_line
from appliance.dialects.ollama.generate import GenerateBody, generate_to_core, prompt_of
from appliance.dialects.ollama.moments import Stamps
from appliance.dialects.ollama.options import check_num_ctx, merged
from appliance.dialects.ollama.reply import Kind, Reply, ReplyStream, nothing_said, whole_reply
from appliance.dialects.rows import Rows
from appliance.service.care import ModelCare
from appliance.service.copies import ModelCopies
from appliance.service.generate import Generation
from appliance.service.installed import Installed
from appliance.service.normalizing import Normalizing
from appliance.settings import ServerSettings

from .inference import new_id

# Ollama's clients read every line as an answer, so silence stays silent
OLLAMA = Manner(media_type=NDJSON, error=error_line, silence=lambda place: b"")


@post(
    "/api/chat",
    status_code=200,
    operation=Operation(
        takes=ChatRequest,
        gives=Reply,
        streams=(Reply, ErrorWire),
        stream_type="application/x-ndjson",
        example={"messages": [{"role": "user", "content": "Hello"}]},
    ),
)
async def chat(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    generation: NamedDependency[Generation],
    care: NamedDependency[ModelCare],
    timing: NamedDependency[StreamTiming],
    normalizing: NamedDependency[Normalizing],
) -> ASGIApp:
    """Answer a conversation."""
    stamps = Stamps(time.time_ns)
    wire = normalizing.apply(await read_json(request, ChatRequest, server.max_body_bytes, says_type=False))
    if not wire.messages:
        return await _load("chat", request, wire, installed, care, stamps)
    model = installed.resolve_for("generate", wire.model)
    _check_context(wire, model, installed, care, normalizing)
    core = chat_to_core(wire, new_id(), model, installed.preset(model))
    name = wire.model or model
    return await reply(
        request,
        [core],
        generation,
        timing,
        user=None,
        stream=ReplyStream("chat", name, stamps) if wire.streams else None,
        whole=lambda answer: whole_reply("chat", name, answer, stamps),
        manner=OLLAMA,
    )


@post(
    "/api/generate",
    status_code=200,
    operation=Operation(
        takes=GenerateBody,
        gives=Reply,
        streams=(Reply, ErrorWire),
        stream_type="application/x-ndjson",
        example={"prompt": "Hello"},
    ),
)
async def generate(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    generation: NamedDependency[Generation],
    care: NamedDependency[ModelCare],
    copies: NamedDependency[ModelCopies],
    timing: NamedDependency[StreamTiming],
    normalizing: NamedDependency[Normalizing],
) -> ASGIApp:
    """Answer a prompt."""
    stamps = Stamps(time.time_ns)
    wire = await read_json(request, GenerateBody, server.max_body_bytes, says_type=False)
    if wire.is_empty:
        return await _load("generate", request, wire, installed, care, stamps)
    model = installed.resolve_for("generate", wire.model)
    _check_context(wire, model, installed, care, normalizing)
    preset = installed.preset(model)
    if wire.template and not wire.raw:
        check_template(wire.template, (await copies.facts(model)).template)
    prompt = prompt_of(wire, preset, is_chat=installed.manifest(model).details.has_chat_template)
    name = wire.model or model
    return await reply(
        request,
        [generate_to_core(wire, new_id(), model, prompt, preset)],
        generation,
        timing,
        user=None,
        stream=ReplyStream("generate", name, stamps) if wire.streams else None,
        whole=lambda answer: whole_reply("generate", name, answer, stamps),
        manner=OLLAMA,
    )


@post(
    "/api/embed",
    status_code=200,
    operation=Operation(takes=EmbedRequest, gives=EmbedWire, example={"input": ["a text", "another"]}),
)
async def embed(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    generation: NamedDependency[Generation],
) -> ASGIApp:
    """Answer with a vector for each text."""
    stamps = Stamps(time.time_ns)
    wire = await read_json(request, EmbedRequest, server.max_body_bytes, says_type=False)
    model = installed.resolve_for("embed", wire.model)
    core = embed_to_core(wire, new_id(), model)
    rows = await rows_of(request, core, generation, None) if core.inputs else Rows(0)
    return json_reply(embedded(rows, wire.model or model, stamps))


@post(
    "/api/embeddings",
    status_code=200,
    operation=Operation(takes=EmbeddingsRequest, gives=EmbeddingsWire, example={"prompt": "a text"}),
)
async def embeddings(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    generation: NamedDependency[Generation],
) -> ASGIApp:
    """Answer with the vector of one text, as older clients ask for it."""
    wire = await read_json(request, EmbeddingsRequest, server.max_body_bytes, says_type=False)
    model = installed.resolve_for("embed", wire.model)
    core = embeddings_to_core(wire, new_id(), model)
    rows = await rows_of(request, core, generation, None) if core.inputs else Rows(0)
    return json_reply(embedded_one(rows))


async def _load(
    kind: Kind, request: HttpRequest, wire: CallFields, installed: Installed, care: ModelCare, stamps: Stamps
) -> ASGIApp:
    """Bring a model of any kind into memory or, where it is to stay for no time, let it go once nobody uses it."""
    model = installed.resolve_adapted(wire.model)
    name, keep_alive_s = wire.model or model, wire.keep_alive_s
    if keep_alive_s == 0:
        care.keep(model, 0)
        return json_reply(nothing_said(kind, name, "unload", stamps))

    async def load() -> None:
        async for _ in care.load(model):
            pass
        if keep_alive_s is not None:
            care.keep(model, keep_alive_s)

    await unless_gone(request.receive, load())
    return json_reply(nothing_said(kind, name, "load", stamps))


def _check_context(
    wire: CallFields, model: str, installed: Installed, care: ModelCare, normalizing: Normalizing
) -> None:
    """Refuse a context that the model does not have, before anything is loaded for it. Raises: InvalidRequest."""
    manifest = installed.manifest(model)
    facts = ModelFacts(trained_context_tokens=manifest.details.context_length_tokens)
    options = normalizing.apply(merged(wire.options, manifest.preset), facts)
    if options.num_ctx is not None:
        check_num_ctx(options, model, care.context_tokens(model))
