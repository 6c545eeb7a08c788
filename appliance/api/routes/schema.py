"""`/schema`: the OpenAPI document, for programs and for people."""

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.types import ASGIApp

from appliance.api.openapi import ApiDocument
from appliance.api.operation import Operation
from appliance.api.respond import json_reply
from appliance.api.schema_page import page

# The page holds nothing but text and its own style, and a browser is told to believe nothing else
_POLICY = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}


@get("/schema/openapi.json", operation=Operation(gives=dict), sync_to_thread=False)
def openapi_document(document: NamedDependency[ApiDocument]) -> ASGIApp:
    """Answer with this document."""
    return json_reply(document.json)


@get("/schema", operation=Operation(gives=str, gives_type="text/html"), sync_to_thread=False)
def schema_page(document: NamedDependency[ApiDocument]) -> Response[bytes]:
    """Answer with the same for people to read."""
    return Response(page(document.content), media_type=MediaType.HTML, headers=_POLICY)
