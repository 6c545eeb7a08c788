"""`/tokenize`, `/detokenize`, `/apply-template`: what a model reads, without an answer from it."""

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.types import ASGIApp

from appliance.api.body import read_body, read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import json_reply
from appliance.api.sse import unless_gone
from appliance.dialects.decode import decode_json
from appliance.dialects.openai.chat import ChatRequest
from appliance.dialects.vocabulary import (
    CountWire,
    DetokenizedWire,
    DetokenizeRequest,
    TemplateWire,
    TokenizeRequest,
    TokensWire,
    chat_tokenize_to_core,
    detokenize_to_core,
    template_to_core,
    tokenize_to_core,
    tokens_wire,
)
from appliance.service.care import ModelCare
from appliance.service.installed import Installed
from appliance.service.normalizing import Normalizing
from appliance.service.vocabulary import Vocabularies
from appliance.settings import ServerSettings

from .inference import new_id


@post(
    "/tokenize",
    status_code=200,
    operation=Operation(takes=TokenizeRequest, gives=(TokensWire, CountWire), example={"content": "Hello"}),
)
async def tokenize(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    vocabularies: NamedDependency[Vocabularies],
    care: NamedDependency[ModelCare],
    normalizing: NamedDependency[Normalizing],
) -> ASGIApp:
    """Answer with the tokens of a text or a conversation."""
    body = await read_body(request, server.max_body_bytes)
    wire = decode_json(body, TokenizeRequest)
    if wire.messages is None:
        model = installed.resolve_adapted(wire.model)
        question = tokenize_to_core(wire, new_id(), model)
    else:
        model = installed.resolve_for("generate", wire.model)
        chat = normalizing.apply(decode_json(body, ChatRequest))
        question = chat_tokenize_to_core(wire, chat, new_id(), model)
    read = await unless_gone(request.receive, vocabularies.read(question))
    max_context_tokens = care.model(model).context_tokens if wire.content is None else None
    return json_reply(msgspec.json.encode(tokens_wire(wire, read, max_context_tokens)))


@post(
    "/detokenize",
    status_code=200,
    operation=Operation(takes=DetokenizeRequest, gives=DetokenizedWire, example={"tokens": [1, 2, 3]}),
)
async def detokenize(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    vocabularies: NamedDependency[Vocabularies],
) -> ASGIApp:
    """Answer with the text of tokens."""
    wire = await read_json(request, DetokenizeRequest, server.max_body_bytes)
    question = detokenize_to_core(wire, new_id(), installed.resolve_adapted(wire.model))
    read = await unless_gone(request.receive, vocabularies.read(question))
    return json_reply(msgspec.json.encode(DetokenizedWire(content=read.text, prompt=read.text)))


@post(
    "/apply-template",
    status_code=200,
    operation=Operation(
        takes=ChatRequest, gives=TemplateWire, example={"messages": [{"role": "user", "content": "Hello"}]}
    ),
)
async def apply_template(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    vocabularies: NamedDependency[Vocabularies],
    normalizing: NamedDependency[Normalizing],
) -> ASGIApp:
    """Answer with a conversation as the text that the model would be given."""
    wire = normalizing.apply(await read_json(request, ChatRequest, server.max_body_bytes))
    question = template_to_core(wire, new_id(), installed.resolve_for("generate", wire.model))
    read = await unless_gone(request.receive, vocabularies.read(question))
    return json_reply(msgspec.json.encode(TemplateWire(prompt=read.text)))
