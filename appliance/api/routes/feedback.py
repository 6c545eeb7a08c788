"""`/v1/feedback`: what callers think of answers; `/admin/v1/feedback`: all of it, for evaluation."""

import time

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import caller_of, json_response, needs_admin
from appliance.core.feedback import FeedbackExport
from appliance.dialects.feedback import (
    FeedbackListWire,
    FeedbackRequest,
    FeedbackWire,
    feedback_list_wire,
    feedback_to_core,
    feedback_wire,
)
from appliance.dialects.pages import check_limit
from appliance.service.feedback import FeedbackBook
from appliance.settings import ServerSettings

EXAMPLE = {"response_id": "chatcmpl-1", "score": "up", "comment": "To the point."}


@post(
    "/v1/feedback",
    status_code=200,
    operation=Operation(takes=FeedbackRequest, gives=FeedbackWire, example=EXAMPLE),
)
async def give_feedback(
    request: HttpRequest, server: NamedDependency[ServerSettings], feedback: NamedDependency[FeedbackBook]
) -> Response[bytes]:
    """Keep what the caller thinks of an answer, in place of what they thought of it before."""
    wire = await read_json(request, FeedbackRequest, server.max_body_bytes)
    given = feedback_to_core(wire, caller_of(request).id, time.time())
    await feedback.keep(given)
    return json_response(feedback_wire(given))


@get("/v1/feedback", operation=Operation(gives=FeedbackListWire))
async def list_feedback(
    request: HttpRequest,
    feedback: NamedDependency[FeedbackBook],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int] = 20,
) -> Response[bytes]:
    """Answer with a page of the caller's own feedback, the newest first, behind that on the answer `after`."""
    check_limit(limit)
    return json_response(feedback_list_wire(await feedback.page(caller_of(request).id, after, limit + 1), limit))


@get("/admin/v1/feedback", guards=[needs_admin], operation=Operation(gives=FeedbackExport))
async def export_feedback(feedback: NamedDependency[FeedbackBook], after: FromQuery[int] = 0) -> Response[bytes]:
    """Answer with a part of everybody's feedback, the oldest first: that behind the `next` of the part before."""
    return json_response(await feedback.export(after))
