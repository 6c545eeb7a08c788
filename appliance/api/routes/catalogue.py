"""`/admin/v1/catalogue` and `/admin/v1/fit`: which models could be had, which suits this machine, and how one fits."""

import asyncio

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import json_response, needs_admin, needs_operate
from appliance.core.catalogue import CatalogueAnswer, Fit, ImportCatalogue, ImportedCatalogue, Purpose
from appliance.ops.machine import Machine
from appliance.service.catalogue import CatalogueService
from appliance.service.recommend import Wish
from appliance.settings import ServerSettings


@get("/admin/v1/catalogue", operation=Operation(gives=CatalogueAnswer, query={"query": str}))
async def list_catalogue(
    request: HttpRequest,
    catalogue: NamedDependency[CatalogueService],
    machine: NamedDependency[Machine],
    purpose: FromQuery[Purpose | None] = None,
    language: FromQuery[str | None] = None,
    bandwidth: FromQuery[bool] = False,
) -> Response[bytes]:
    """Answer with the models that are meant, the best for this machine first; `?bandwidth=true` measures it before."""
    if bandwidth:
        needs_operate(request, request.route_handler)
        await asyncio.to_thread(machine.measure_bandwidth)
    words = request.query_params.get("query", "")  # the framework keeps the parameter's name for itself
    wish = Wish(purpose, language, tuple(words.split()))
    return json_response(await asyncio.to_thread(catalogue.search, wish))


@get("/admin/v1/fit/{name:path}", operation=Operation(gives=Fit))
async def fit_model(
    request: HttpRequest,
    name: FromPath[str],
    catalogue: NamedDependency[CatalogueService],
    machine: NamedDependency[Machine],
    bandwidth: FromQuery[bool] = False,
) -> Response[bytes]:
    """Answer with how a model fits: its memory, context, speed and licence, whether it is here or in the catalogue."""
    if bandwidth:
        needs_operate(request, request.route_handler)
        await asyncio.to_thread(machine.measure_bandwidth)
    return json_response(await asyncio.to_thread(catalogue.fit, name.lstrip("/")))


@post(
    "/admin/v1/catalogue",
    guards=[needs_admin],
    status_code=201,
    operation=Operation(
        takes=ImportCatalogue,
        gives=ImportedCatalogue,
        example={"name": "ours.toml", "text": "schema_version = 1", "signature": "untrusted comment: ..."},
    ),
)
async def import_catalogue(
    request: HttpRequest, server: NamedDependency[ServerSettings], catalogue: NamedDependency[CatalogueService]
) -> Response[bytes]:
    """Take in a catalogue that a trusted key has signed."""
    order = await read_json(request, ImportCatalogue, server.max_body_bytes)
    return json_response(await asyncio.to_thread(catalogue.take_in, order), status=201)
