"""`/admin/v1/cache`: what the response cache holds and saved, and the way to empty it."""

import asyncio

from litestar import Response, delete, get
from litestar.di import NamedDependency
from msgspec.structs import replace

from appliance.api.operation import Operation
from appliance.api.respond import json_response, needs_operate
from appliance.core.response_cache import CacheFigures, ClearedCache
from appliance.ops.tiers import CacheTiers
from appliance.service.answers.cache import ResponseCache


@get("/admin/v1/cache", guards=[needs_operate], operation=Operation(gives=CacheFigures))
async def show_cache(answers: NamedDependency[ResponseCache], tiers: NamedDependency[CacheTiers]) -> Response[bytes]:
    """Answer with the figures of the response cache, and with all places where something computed is kept."""
    figures = await answers.figures()
    on_disk = await asyncio.to_thread(tiers.on_disk, figures)
    return json_response(replace(figures, tiers=(*tiers.of_models(), *on_disk)))


@delete("/admin/v1/cache", guards=[needs_operate], status_code=200, operation=Operation(gives=ClearedCache))
async def clear_cache(answers: NamedDependency[ResponseCache]) -> Response[bytes]:
    """Forget all answers."""
    return json_response(await answers.clear())
