"""`/admin/v1/explain`: how a model would be run on this machine now, and why not otherwise."""

import asyncio

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from appliance.api.operation import Operation
from appliance.api.respond import json_response
from appliance.core.measurement import Explanation
from appliance.service.explain import Explainer


@get("/admin/v1/explain/{name:path}", operation=Operation(gives=Explanation))
async def explain_model(name: FromPath[str], explainer: NamedDependency[Explainer]) -> Response[bytes]:
    """Answer with all ways of running an installed model here, the one that is taken first."""
    return json_response(await asyncio.to_thread(explainer.explain, name.lstrip("/")))
