"""`/admin/v1/cache`: what the response cache holds and saved, and the way to empty it."""

from litestar import Response, delete, get
from litestar.di import NamedDependency

from appliance.api.operation import Operation
from appliance.api.respond import json_response, needs_operate
from appliance.core.response_cache import CacheFigures, ClearedCache
from appliance.service.answers.cache import ResponseCache


@get("/admin/v1/cache", guards=[needs_operate], operation=Operation(gives=CacheFigures))
async def show_cache(answers: NamedDependency[ResponseCache]) -> Response[bytes]:
    """Answer with the figures of the response cache."""
    return json_response(await answers.figures())


@delete("/admin/v1/cache", guards=[needs_operate], status_code=200, operation=Operation(gives=ClearedCache))
async def clear_cache(answers: NamedDependency[ResponseCache]) -> Response[bytes]:
    """Forget all answers."""
    return json_response(await answers.clear())
