"""`/admin/v1/adapters`: the LoRA adapters, and which installed models each fits."""

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import json_response, needs_admin, needs_operate
from appliance.core.admin import Removed
from appliance.core.store import Adapters, AdapterView, AddAdapter
from appliance.service.adapter_care import AdapterCare
from appliance.settings import ServerSettings


@get("/admin/v1/adapters", operation=Operation(gives=Adapters))
async def list_adapters(adapters: NamedDependency[AdapterCare]) -> Response[bytes]:
    """Answer with all adapters."""
    return json_response(Adapters(adapters=await adapters.adapters()))


@post(
    "/admin/v1/adapters",
    guards=[needs_operate],
    status_code=201,
    operation=Operation(takes=AddAdapter, gives=AdapterView, example={"path": "/models/adapter.gguf", "base": "guide"}),
)
async def add_adapter(
    request: HttpRequest, server: NamedDependency[ServerSettings], adapters: NamedDependency[AdapterCare]
) -> Response[bytes]:
    """Take an adapter in; with a base, only if it fits that model."""
    return json_response(await adapters.add(await read_json(request, AddAdapter, server.max_body_bytes)), status=201)


@delete("/admin/v1/adapters/{name:str}", guards=[needs_admin], status_code=200, operation=Operation(gives=Removed))
async def remove_adapter(name: FromPath[str], adapters: NamedDependency[AdapterCare]) -> Response[bytes]:
    """Forget an adapter."""
    return json_response(await adapters.remove(name))
