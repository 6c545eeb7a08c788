"""`/`: a page for a person with a browser, and the files that it is made of; for programs, Ollama's greeting.

The files hold no data and need no key. What the page shows it asks for as any client does, with the key of whoever
reads it.
"""

from litestar import Response, get
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler

from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.page import FILES, PageFile

# Only what this machine sends runs, and only this machine is spoken to. Trusted Types bar every way from text to markup
_POLICY = "; ".join(
    (
        "default-src 'none'",
        *("script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"),
        *("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"),
        *("require-trusted-types-for 'script'", "trusted-types 'none'"),
    )
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",  # kept, but asked for again each time: an update shows at once
}
_BY_ACCEPT = {"vary": "accept"}


@get("/", sync_to_thread=False, operation=Operation(gives=str, gives_type="text/plain"))
def root(request: HttpRequest) -> Response[bytes]:
    """Answer what Ollama's clients look for before they ask for anything; a browser is given the page."""
    if "text/html" not in request.headers.get("accept", ""):
        return Response(b"Ollama is running", media_type=MediaType.TEXT, headers=_BY_ACCEPT)
    return _sent(FILES["/"], request, _BY_ACCEPT)


def _part(path: str, file: PageFile) -> HTTPRouteHandler:
    def part(request: HttpRequest) -> Response[bytes]:
        """Answer with a file of the page."""
        return _sent(file, request, {})

    part.__name__ = path.rpartition("/")[2].replace(".", "_")
    return get(path, sync_to_thread=False, operation=Operation(gives=str, gives_type=file.media_type))(part)


def _sent(file: PageFile, request: HttpRequest, headers: dict[str, str]) -> Response[bytes]:
    """Return a file, or 304 for a browser that has it."""
    is_known = file.tag in request.headers.get("if-none-match", "")
    return Response(
        b"" if is_known else file.content,
        status_code=304 if is_known else 200,
        media_type=file.media_type,
        headers={**_HEADERS, **headers, "etag": file.tag},
    )


PARTS = tuple(_part(path, file) for path, file in FILES.items() if path != "/")
"""A route for each file but the page itself."""
