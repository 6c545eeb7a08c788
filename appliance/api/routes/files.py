"""`/v1/files`: a caller's files, sent for batches and requests and made by batches, in the shape of who asks."""

from typing import Literal

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import File

from appliance.api.errors import HttpRequest, is_anthropic
from appliance.api.multipart_form import MultipartForm
from appliance.api.operation import Operation
from appliance.api.respond import caller_of, json_response
from appliance.core.files import FileId, FileTerms, UserFile
from appliance.dialects.anthropic import files as anthropic
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


@post(
    "/v1/files",
    status_code=200,
    operation=Operation(takes=bytes, takes_type="multipart/form-data", gives=(FileWire, anthropic.FileWire)),
)
async def upload_file(request: HttpRequest, files: NamedDependency[Files]) -> Response[bytes]:
    """Keep a file."""
    form = MultipartForm(request)
    purpose = anthropic.PURPOSE if is_anthropic(request.scope) else None
    file = await files.take(caller_of(request).id, form.file("file"), lambda: _terms(form, purpose))
    return _told(request, file)


@get("/v1/files", operation=Operation(gives=(FilesWire, anthropic.FileListWire)))
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
    if is_anthropic(request.scope):
        return json_response(anthropic.file_page(found, request.query_params))
    return json_response(files_wire(found, purpose=purpose, after=after, limit=limit, order=order))


@get("/v1/files/{file_id:str}", operation=Operation(gives=(FileWire, anthropic.FileWire)))
async def get_file(request: HttpRequest, file_id: FromPath[str], files: NamedDependency[Files]) -> Response[bytes]:
    """Answer with what is known of a file."""
    return _told(request, await files.get(caller_of(request).id, file_id))


@get("/v1/files/{file_id:str}/content", operation=Operation(gives=bytes, gives_type="application/octet-stream"))
async def get_file_content(request: HttpRequest, file_id: FromPath[str], files: NamedDependency[Files]) -> File:
    """Answer with a file's content."""
    file = await files.get(caller_of(request).id, file_id)
    return File(files.path_of(file.id), filename=file.filename, media_type="application/octet-stream")


@delete("/v1/files/{file_id:str}", status_code=200, operation=Operation(gives=(FileDeleted, anthropic.FileDeleted)))
async def delete_file(request: HttpRequest, file_id: FromPath[str], files: NamedDependency[Files]) -> Response[bytes]:
    """Delete a file."""
    file = await files.delete(caller_of(request).id, file_id)
    if is_anthropic(request.scope):
        return json_response(anthropic.FileDeleted(id=file.id))
    return json_response(FileDeleted(id=FileId(file.id)))


def _told(request: HttpRequest, file: UserFile) -> Response[bytes]:
    return json_response(anthropic.file_wire(file) if is_anthropic(request.scope) else file_wire(file))


def _terms(form: MultipartForm, purpose: str | None) -> FileTerms:
    """Return what the form says of its file; where it need not say a purpose, `purpose` is it."""
    return FileTerms(
        purpose=purpose or purpose_of(form.fields), filename=form.filename or "file", keep_s=keep_s_of(form.fields)
    )
