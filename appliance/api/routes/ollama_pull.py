"""`/api/pull`: the job that fetches a model, told in Ollama's words."""

import asyncio
from collections.abc import AsyncGenerator, Mapping

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.types import ASGIApp

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import caller_of, json_reply, needs_operate
from appliance.api.sse import NDJSON, StreamResponse, StreamTiming, unless_gone
from appliance.core.jobs import JobId
from appliance.dialects.ollama.care import WRITING, NamedRequest, StatusWire, name_of, progress
from appliance.dialects.ollama.errors import error_line
from appliance.dialects.ollama.pull import MANIFEST, VERIFYING, PullNews, PullRequest, order_of
from appliance.errors import ModelNotFound
from appliance.jobs.jobs import Jobs
from appliance.service.catalogue import CatalogueService
from appliance.service.installed import Installed
from appliance.service.pull_order import PULL, checked_order
from appliance.settings import ServerSettings
from models.catalogue.catalogue import CatalogueError


def told_by_lines(takes: type[NamedRequest], example: Mapping[str, str]) -> Operation:
    """Return the operation of what is told by lines of progress, or by the last of them alone."""
    return Operation(
        takes=takes, gives=StatusWire, streams=StatusWire, stream_type="application/x-ndjson", example=example
    )


@post("/api/pull", guards=[needs_operate], status_code=200, operation=told_by_lines(PullRequest, {"model": "guide"}))
async def pull(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    catalogue: NamedDependency[CatalogueService],
    jobs: NamedDependency[Jobs],
    timing: NamedDependency[StreamTiming],
) -> ASGIApp:
    """Fetch a model, or what is newer of it; one that was made or added here is here already."""
    wire = await read_json(request, PullRequest, server.max_body_bytes, says_type=False)
    name = name_of(wire)
    if _is_of_here(installed, name):
        news = _told_at_once()
    else:
        order = order_of(name, is_in_catalogue=await _is_in(catalogue, name), is_insecure=wire.insecure is True)
        job = await jobs.submit(PULL.name, checked_order(order), caller_of(request).id)
        news = _followed(jobs, job.id)
    if wire.streams:
        written = (msgspec.json.encode(line) + b"\n" async for line in news)
        return StreamResponse(written, error_line, timing, media_type=NDJSON, silence=bytes)
    last = await unless_gone(request.receive, _last(news))
    return json_reply(msgspec.json.encode(last))


def _is_of_here(installed: Installed, name: str) -> bool:
    try:
        return installed.manifest(installed.resolve(name)).provenance is None
    except ModelNotFound:
        return False


async def _is_in(catalogue: CatalogueService, name: str) -> bool:
    try:
        await asyncio.to_thread(catalogue.reference_for, name)
    except CatalogueError:
        return False
    return True


async def _told_at_once() -> AsyncGenerator[StatusWire, None]:
    for line in progress(MANIFEST, VERIFYING, WRITING):
        yield line


async def _followed(jobs: Jobs, job_id: JobId) -> AsyncGenerator[StatusWire, None]:
    news = PullNews()
    async for job in jobs.follow(job_id):
        for line in news.lines(job):
            yield line


async def _last(news: AsyncGenerator[StatusWire, None]) -> StatusWire:
    return [line async for line in news][-1]
