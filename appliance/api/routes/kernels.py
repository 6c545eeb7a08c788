"""`/admin/v1/kernels`: what is compiled of our own kernels, tuning it, and clearing away what is not used."""

import asyncio

from litestar import Response, delete, get, post
from litestar.di import NamedDependency

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import caller_of, json_response, needs_operate
from appliance.core.jobs import Job
from appliance.core.kernels import CleanedKernels, CompiledModels, CompileModel, TuneKernels
from appliance.jobs.jobs import Jobs
from appliance.service.kernels import KernelCare
from appliance.settings import ServerSettings


@get("/admin/v1/kernels", operation=Operation(gives=CompiledModels))
async def list_kernels(kernels: NamedDependency[KernelCare]) -> Response[bytes]:
    """Answer with everything that is compiled."""
    return json_response(CompiledModels(compiled=await asyncio.to_thread(kernels.compiled)))


@delete("/admin/v1/kernels", guards=[needs_operate], status_code=200, operation=Operation(gives=CleanedKernels))
async def clean_kernels(kernels: NamedDependency[KernelCare]) -> Response[bytes]:
    """Delete what this version on this processor does not use."""
    return json_response(await asyncio.to_thread(kernels.clean))


@post(
    "/admin/v1/kernels/tune",
    guards=[needs_operate],
    status_code=202,
    operation=Operation(takes=TuneKernels, gives=Job, example={"model": "mine"}),
)
async def tune_kernels(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    kernels: NamedDependency[KernelCare],
    jobs: NamedDependency[Jobs],
) -> Response[bytes]:
    """Take in a job that measures which tiles are the fastest here."""
    order = await read_json(request, TuneKernels, server.max_body_bytes)
    arguments = await asyncio.to_thread(kernels.tune_order, order.model)
    return json_response(await jobs.submit("tune", arguments, caller_of(request).id), status=202)


@post(
    "/admin/v1/models/compile",
    guards=[needs_operate],
    status_code=202,
    operation=Operation(takes=CompileModel, gives=Job, example={"model": "mine"}),
)
async def compile_model(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    kernels: NamedDependency[KernelCare],
    jobs: NamedDependency[Jobs],
) -> Response[bytes]:
    """Take in a job that makes a model ready for our own kernels."""
    order = await read_json(request, CompileModel, server.max_body_bytes)
    arguments = await asyncio.to_thread(kernels.compile_order, order.model, order.bits)
    return json_response(await jobs.submit("compile", arguments, caller_of(request).id), status=202)
