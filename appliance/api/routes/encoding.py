"""`/v1`: embeddings, rerank, score."""

import time

from litestar import post
from litestar.di import NamedDependency
from litestar.types import ASGIApp

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.reply import rows_of
from appliance.api.respond import json_reply
from appliance.dialects.openai.embeddings import EmbeddingsRequest, EmbeddingsWire, embeddings, embeddings_to_core
from appliance.dialects.rerank import (
    RerankRequest,
    RerankWire,
    ScoreRequest,
    ScoresWire,
    ranking,
    rerank_to_core,
    score_to_core,
    scores,
)
from appliance.service.generate import Generation
from appliance.service.installed import Installed
from appliance.settings import ServerSettings

from .inference import new_id


@post(
    "/v1/embeddings",
    status_code=200,
    operation=Operation(takes=EmbeddingsRequest, gives=EmbeddingsWire, example={"input": ["a text", "another"]}),
)
async def create_embeddings(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    generation: NamedDependency[Generation],
) -> ASGIApp:
    """Answer with a vector for each input."""
    wire = await read_json(request, EmbeddingsRequest, server.max_body_bytes)
    model = installed.resolve_for("embed", wire.model)
    rows = await rows_of(request, embeddings_to_core(wire, new_id(), model), generation, wire.user)
    return json_reply(embeddings(wire, rows, model))


@post(
    "/v1/rerank",
    status_code=200,
    operation=Operation(
        takes=RerankRequest, gives=RerankWire, example={"query": "a question", "documents": ["an answer", "noise"]}
    ),
)
async def rerank(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    generation: NamedDependency[Generation],
) -> ASGIApp:
    """Answer with the documents in the order of their relevance to the query."""
    wire = await read_json(request, RerankRequest, server.max_body_bytes)
    id, model = new_id(), installed.resolve_for("score", wire.model)
    rows = await rows_of(request, rerank_to_core(wire, id, model), generation, wire.user)
    return json_reply(ranking(wire, rows, id, model))


@post(
    "/v1/score",
    status_code=200,
    operation=Operation(
        takes=ScoreRequest, gives=ScoresWire, example={"text_1": "a question", "text_2": ["an answer", "noise"]}
    ),
)
async def score(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    generation: NamedDependency[Generation],
) -> ASGIApp:
    """Answer with the relevance of each pair of texts."""
    wire = await read_json(request, ScoreRequest, server.max_body_bytes)
    id, model = new_id(), installed.resolve_for("score", wire.model)
    rows = await rows_of(request, score_to_core(wire, id, model), generation, wire.user)
    return json_reply(scores(rows, id, model, int(time.time())))
