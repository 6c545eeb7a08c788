"""`/v1/files`: a caller's files, sent for batches and made by them."""

from typing import Literal

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import File

from appliance.api.errors import HttpRequest
from appliance.api.multipart_form import MultipartForm
from appliance.api.operation import Operation
from appliance.api.respond import caller_of, json_response
from appliance.core.files import FileId, FileTerms
from appliance.dialects.openai.files import (
    MAX_PAGE_FILES,
    FileDeleted,
    FilesWire,
    FileWire,
    file_wire,
    files_wire,
    keep_s_of,
    purpose_of,
)
from appliance.service.files.files import Files


@post("/v1/files", status_code=200, operation=Operation(takes=bytes, takes_type="multipart/form-data", gives=FileWire))
async def upload_file(request: HttpRequest, files: NamedDependency[Files]) -> Response[bytes]:
    """Keep a file."""
    form = MultipartForm(request)
    file = await files.take(caller_of(request).id, form.file("file"), lambda: _terms(form))
    return json_response(file_wire(file))


@get("/v1/files", operation=Operation(gives=FilesWire))
async def list_files(
    request: HttpRequest,
    files: NamedDependency[Files],
    purpose: FromQuery[str | None] = None,
    after: FromQuery[str | None] = None,
    limit: FromQuery[int] = MAX_PAGE_FILES,
    order: FromQuery[Literal["asc", "desc"]] = "desc",
) -> Response[bytes]:
    """Answer with a page of the caller's files."""
    found = await files.list(caller_of(request).id)
    return json_response(files_wire(found, purpose=purpose, after=after, limit=limit, order=order))


@get("/v1/files/{file_id:str}", operation=Operation(gives=FileWire))
async def get_file(request: HttpRequest, file_id: FromPath[str], files: NamedDependency[Files]) -> Response[bytes]:
    """Answer with what is known of a file."""
    return json_response(file_wire(await files.get(caller_of(request).id, file_id)))


@get("/v1/files/{file_id:str}/content", operation=Operation(gives=bytes, gives_type="application/octet-stream"))
async def get_file_content(request: HttpRequest, file_id: FromPath[str], files: NamedDependency[Files]) -> File:
    """Answer with a file's content."""
    file = await files.get(caller_of(request).id, file_id)
    return File(files.path_of(file.id), filename=file.filename, media_type="application/octet-stream")


@delete("/v1/files/{file_id:str}", status_code=200, operation=Operation(gives=FileDeleted))
async def delete_file(request: HttpRequest, file_id: FromPath[str], files: NamedDependency[Files]) -> Response[bytes]:
    """Delete a file."""
    file = await files.delete(caller_of(request).id, file_id)
    return json_response(FileDeleted(id=FileId(file.id)))


def _terms(form: MultipartForm) -> FileTerms:
    return FileTerms(purpose=purpose_of(form.fields), filename=form.filename or "file", keep_s=keep_s_of(form.fields))
