"""`/v1/responses`: made, read again, followed, cancelled and deleted."""

from collections.abc import AsyncGenerator

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.types import ASGIApp

from appliance.api.access import refine
from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.queueing import queue_comment, queue_headers
from appliance.api.respond import caller_of, json_reply, json_response
from appliance.api.sse import StreamResponse, StreamTiming, comment, unless_gone
from appliance.core.request import ReadRequest, RequestId
from appliance.dialects.responses.conversations import Deleted
from appliance.dialects.responses.events import ResponseEvent, error_frame
from appliance.dialects.responses.lists import ItemList, Order, page_of
from appliance.dialects.responses.request import PromptRequest, ResponseRequest
from appliance.dialects.responses.response import Response as ResponseBody
from appliance.dialects.responses.response import TokenCount, encode
from appliance.service.installed import Installed
from appliance.service.normalizing import Normalizing
from appliance.service.responses.responses import Responses
from appliance.service.responses.run import Run
from appliance.service.vocabulary import Vocabularies
from appliance.settings import ServerSettings


@post(
    "/v1/responses",
    status_code=200,
    operation=Operation(takes=ResponseRequest, gives=ResponseBody, streams=ResponseEvent, example={"input": "Hello"}),
)
async def create_response(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    responses: NamedDependency[Responses],
    normalizing: NamedDependency[Normalizing],
    timing: NamedDependency[StreamTiming],
) -> ASGIApp:
    """Answer, and keep the answer unless the caller does not want that."""
    wire = normalizing.apply(await read_json(request, ResponseRequest, server.max_body_bytes))
    model = installed.resolve_for("generate", wire.model)
    caller = caller_of(request)
    run = await responses.begin(wire, model, refine(caller, wire.user), caller.id)
    headers = queue_headers(run.queue_place)
    if wire.stream:
        return StreamResponse(
            _followed(run), error_frame, timing, headers=headers, silence=lambda: queue_comment(run.queue_place)
        )
    if wire.background:
        return json_reply(encode(run.response), headers)
    try:
        return json_reply(encode(await unless_gone(request.receive, run.finished())), headers)
    finally:
        run.cancel()


@get("/v1/responses/{response_id:str}", operation=Operation(gives=ResponseBody, streams=ResponseEvent))
async def get_response(
    request: HttpRequest,
    response_id: FromPath[str],
    responses: NamedDependency[Responses],
    timing: NamedDependency[StreamTiming],
    stream: FromQuery[bool] = False,
    starting_after: FromQuery[int] = -1,
) -> ASGIApp:
    """Answer with a response as it is now; `?stream=true` with its events, those to come, too."""
    owner = caller_of(request).id
    if stream:
        events = await responses.follow(owner, response_id, max(starting_after, -1))
        return StreamResponse(events, error_frame, timing, silence=comment)
    return json_reply(encode(await responses.get(owner, response_id)))


@delete("/v1/responses/{response_id:str}", status_code=200, operation=Operation(gives=Deleted))
async def delete_response(
    request: HttpRequest, response_id: FromPath[str], responses: NamedDependency[Responses]
) -> Response[bytes]:
    """Delete a response."""
    await responses.delete(caller_of(request).id, response_id)
    return json_response(Deleted(id=response_id, object="response"))


@post("/v1/responses/{response_id:str}/cancel", status_code=200, operation=Operation(gives=ResponseBody))
async def cancel_response(
    request: HttpRequest, response_id: FromPath[str], responses: NamedDependency[Responses]
) -> ASGIApp:
    """End a background response."""
    return json_reply(encode(await responses.cancel(caller_of(request).id, response_id)))


@get("/v1/responses/{response_id:str}/input_items", operation=Operation(gives=ItemList))
async def list_input_items(
    request: HttpRequest,
    response_id: FromPath[str],
    responses: NamedDependency[Responses],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int] = 20,
    order: FromQuery[Order] = "desc",
) -> Response[bytes]:
    """Answer with what a response was made from."""
    items = await responses.inputs(caller_of(request).id, response_id)
    return json_response(page_of(items, after=after, limit=limit, order=order))


@post(
    "/v1/responses/input_tokens",
    status_code=200,
    operation=Operation(takes=PromptRequest, gives=TokenCount, example={"input": "Hello"}),
)
async def count_input_tokens(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    responses: NamedDependency[Responses],
    vocabularies: NamedDependency[Vocabularies],
    normalizing: NamedDependency[Normalizing],
) -> Response[bytes]:
    """Answer with the tokens that a request would be charged for."""
    wire = normalizing.apply(await read_json(request, PromptRequest, server.max_body_bytes))
    model = installed.resolve_for("generate", wire.model)
    prompt = await responses.prompt(wire, caller_of(request).id)
    asked = ReadRequest(id=RequestId(request.state.request_id), model=model, prompt=prompt)
    read = await unless_gone(request.receive, vocabularies.read(asked))
    return json_response(TokenCount(input_tokens=read.num_tokens))


async def _followed(run: Run) -> AsyncGenerator[bytes, None]:
    """Yield a response's events; when its caller goes away, only one in the background goes on."""
    events = run.follow()
    try:
        async for frames in events:
            yield frames
    finally:
        await events.aclose()
        if not run.terms.is_background:
            run.cancel()
