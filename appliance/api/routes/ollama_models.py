"""`/api`: what Ollama's clients ask about models and do to them."""

import time

from litestar import MediaType, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from appliance.api.body import chunks_of, read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import json_response, needs_admin, needs_operate
from appliance.api.sse import NDJSON
from appliance.dialects.ollama.call import check_template
from appliance.dialects.ollama.care import (
    API_VERSION,
    WRITING,
    CopyRequest,
    CreateRequest,
    NamedRequest,
    VersionWire,
    name_of,
    preset_of,
    progress,
    told,
    uploaded_digest,
)
from appliance.dialects.ollama.models import RunningModelsWire, ShowRequest, ShowWire, TagsWire, running, show, tags
from appliance.errors import InvalidRequest, UploadNotFound
from appliance.service.care import ModelCare
from appliance.service.copies import ModelCopies
from appliance.service.installed import Installed
from appliance.settings import ServerSettings

from .ollama_pull import told_by_lines


@get("/api/version", sync_to_thread=False, operation=Operation(gives=VersionWire))
def version() -> Response[bytes]:
    """Answer with the version of Ollama's API."""
    return json_response(VersionWire(API_VERSION))


@get("/api/tags", operation=Operation(gives=TagsWire))
async def list_models(care: NamedDependency[ModelCare], installed: NamedDependency[Installed]) -> Response[bytes]:
    """Answer with all models, also with an adapter each."""
    return json_response(tags(await care.usable(), installed.presets()))


@get("/api/ps", sync_to_thread=False, operation=Operation(gives=RunningModelsWire))
def list_running(care: NamedDependency[ModelCare], installed: NamedDependency[Installed]) -> Response[bytes]:
    """Answer with the models in memory."""
    return json_response(running(care.in_memory(), installed.presets(), time.time_ns()))


@post("/api/show", status_code=200, operation=Operation(takes=ShowRequest, gives=ShowWire, example={"model": "guide"}))
async def show_model(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    care: NamedDependency[ModelCare],
    copies: NamedDependency[ModelCopies],
) -> Response[bytes]:
    """Answer with everything that is known of a model."""
    wire = await read_json(request, ShowRequest, server.max_body_bytes, says_type=False)
    canonical = installed.resolve_adapted(name_of(wire))
    return json_response(show(care.model(canonical), await copies.facts(canonical), installed.preset(canonical)))


@post("/api/push", guards=[needs_operate], status_code=200, operation=told_by_lines(NamedRequest, {"model": "guide"}))
async def push(
    request: HttpRequest, server: NamedDependency[ServerSettings], installed: NamedDependency[Installed]
) -> Response[bytes]:
    """Refuse: nothing leaves this machine."""
    wire = await read_json(request, NamedRequest, server.max_body_bytes, says_type=False)
    name = installed.resolve(name_of(wire))
    raise InvalidRequest(f"model {name!r} cannot be pushed: this version sends no models anywhere", param="model")


@post(
    "/api/create",
    guards=[needs_operate],
    status_code=200,
    operation=told_by_lines(CreateRequest, {"model": "mine", "from": "guide"}),
)
async def create(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    copies: NamedDependency[ModelCopies],
) -> Response[bytes]:
    """Make a model of an installed one or of an uploaded file."""
    wire = await read_json(request, CreateRequest, server.max_body_bytes, says_type=False)
    target, digest = name_of(wire), uploaded_digest(wire)
    if digest is not None:
        check_template(wire.template, None)
        await copies.make(digest, target, preset_of(wire, None, None))
        return _told(wire, "parsing GGUF", WRITING)
    source = installed.resolve(wire.from_)
    if wire.template:
        check_template(wire.template, (await copies.facts(source)).template)
    await copies.derive(source, target, preset_of(wire, source, installed.preset(source)))
    return _told(wire, f"using existing layer {installed.manifest(source).digest}", WRITING)


@post(
    "/api/copy",
    guards=[needs_operate],
    status_code=200,
    operation=Operation(takes=CopyRequest, example={"source": "guide", "destination": "mine"}),
)
async def copy_model(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    copies: NamedDependency[ModelCopies],
) -> Response[bytes]:
    """Give a model one more name."""
    wire = await read_json(request, CopyRequest, server.max_body_bytes, says_type=False)
    source = installed.resolve(wire.source)
    await copies.derive(source, wire.destination, installed.preset(source))
    return _nothing()


@delete(
    "/api/delete",
    guards=[needs_admin],
    status_code=200,
    operation=Operation(takes=NamedRequest, example={"model": "mine"}),
)
async def delete_model(
    request: HttpRequest, server: NamedDependency[ServerSettings], care: NamedDependency[ModelCare]
) -> Response[bytes]:
    """Forget a model, which leaves memory first."""
    wire = await read_json(request, NamedRequest, server.max_body_bytes, says_type=False)
    await care.discard(name_of(wire))
    return _nothing()


@get("/api/blobs/{digest:str}", sync_to_thread=False, operation=Operation())
def find_blob(digest: FromPath[str], copies: NamedDependency[ModelCopies]) -> Response[bytes]:
    """Answer whether a file was uploaded; clients ask by HEAD."""
    if not copies.has_upload(digest):
        raise UploadNotFound(f"no file with the digest {digest} was uploaded")
    return _nothing()


@post(
    "/api/blobs/{digest:str}",
    guards=[needs_operate],
    status_code=201,
    operation=Operation(takes=bytes, takes_type="application/octet-stream"),
)
async def upload_blob(
    request: HttpRequest, digest: FromPath[str], copies: NamedDependency[ModelCopies]
) -> Response[bytes]:
    """Take a file in, straight to the disk."""
    is_here = copies.has_upload(digest)
    if not is_here:
        await copies.receive(digest, chunks_of(request))
    return _nothing(200 if is_here else 201)


def _nothing(status: int = 200) -> Response[bytes]:
    return Response(b"", status_code=status, media_type=MediaType.TEXT)


def _told(wire: NamedRequest, *statuses: str) -> Response[bytes]:
    media_type = NDJSON.decode() if wire.streams else MediaType.JSON
    return Response(told(progress(*statuses), streams=wire.streams), media_type=media_type)
