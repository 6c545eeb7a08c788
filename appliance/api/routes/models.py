"""`/v1/models`: the models that can be used now, in the dialect of who asks."""

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from appliance.api.errors import HttpRequest, is_anthropic
from appliance.api.operation import Operation
from appliance.api.respond import json_response
from appliance.dialects.anthropic import models as anthropic
from appliance.dialects.openai import models as openai
from appliance.service.care import ModelCare


@get(
    "/v1/models",
    operation=Operation(
        gives=(openai.ModelListWire, anthropic.ModelListWire),
        query={"limit": anthropic.PageLength, "after_id": str, "before_id": str},
    ),
)
async def list_models(request: HttpRequest, care: NamedDependency[ModelCare]) -> Response[bytes]:
    """Answer with all models, also with an adapter each, or, for Anthropic's clients, with a page of them."""
    models = await care.usable()
    if is_anthropic(request.scope):
        return json_response(anthropic.model_page(models, request.query_params))
    return json_response(openai.ModelListWire(data=tuple(openai.model_wire(model) for model in models)))


@get("/v1/models/{name:path}", sync_to_thread=False, operation=Operation(gives=(openai.ModelWire, anthropic.ModelWire)))
def get_model(request: HttpRequest, name: FromPath[str], care: NamedDependency[ModelCare]) -> Response[bytes]:
    """Answer with one model."""
    model = care.model(name.lstrip("/"))
    return json_response(anthropic.model_wire(model) if is_anthropic(request.scope) else openai.model_wire(model))
