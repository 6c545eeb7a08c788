"""`/admin/v1/jobs`: durable work, given in, looked at, followed, halted and given up."""

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.types import ASGIApp

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import caller_of, json_reply, json_response, needs_operate
from appliance.api.sse import StreamTiming
from appliance.core.jobs import Job, JobEvent, JobId, JobList, JobNews, SubmitJob
from appliance.jobs.jobs import Jobs
from appliance.settings import ServerSettings

from .events import event_stream


@get("/admin/v1/jobs", guards=[needs_operate], operation=Operation(gives=JobList))
async def list_jobs(jobs: NamedDependency[Jobs]) -> Response[bytes]:
    """Answer with the newest jobs."""
    return json_response(JobList(jobs=await jobs.newest()))


@post(
    "/admin/v1/jobs",
    guards=[needs_operate],
    status_code=202,
    operation=Operation(takes=SubmitJob, gives=Job, example={"kind": "convert", "arguments": {}}),
)
async def submit_job(
    request: HttpRequest, server: NamedDependency[ServerSettings], jobs: NamedDependency[Jobs]
) -> Response[bytes]:
    """Take a job in; it is on the disk when this answers."""
    order = await read_json(request, SubmitJob, server.max_body_bytes)
    job = await jobs.submit(order.kind, order.arguments, caller_of(request).id)
    return json_response(job, status=202)


@get("/admin/v1/jobs/{job_id:str}", guards=[needs_operate], operation=Operation(gives=Job, streams=JobEvent))
async def get_job(
    job_id: FromPath[str],
    jobs: NamedDependency[Jobs],
    timing: NamedDependency[StreamTiming],
    follow: FromQuery[bool] = False,
) -> ASGIApp:
    """Answer with one job; `?follow=true` with a stream of what becomes of it, until it has ended."""
    if follow:
        return event_stream((JobNews(job=job) async for job in jobs.follow(JobId(job_id))), timing)
    return json_reply(msgspec.json.encode(await jobs.get(JobId(job_id))))


@delete("/admin/v1/jobs/{job_id:str}", guards=[needs_operate], status_code=200, operation=Operation(gives=Job))
async def cancel_job(job_id: FromPath[str], jobs: NamedDependency[Jobs]) -> Response[bytes]:
    """Give a job up; nothing of it runs any more when this answers."""
    return json_response(await jobs.cancel(JobId(job_id)))


@post("/admin/v1/jobs/{job_id:str}/pause", guards=[needs_operate], status_code=200, operation=Operation(gives=Job))
async def pause_job(job_id: FromPath[str], jobs: NamedDependency[Jobs]) -> Response[bytes]:
    """Halt a job."""
    return json_response(await jobs.pause(JobId(job_id)))


@post("/admin/v1/jobs/{job_id:str}/resume", guards=[needs_operate], status_code=200, operation=Operation(gives=Job))
async def resume_job(job_id: FromPath[str], jobs: NamedDependency[Jobs]) -> Response[bytes]:
    """Let a job go on."""
    return json_response(await jobs.resume(JobId(job_id)))
