"""A form with a file in it, read as it comes: the file goes on in pieces, the fields are kept. Source: RFC 7578."""

from collections.abc import AsyncIterator, Iterator

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from appliance.errors import InvalidRequest, UnsupportedMediaType

from .body import chunks_of
from .errors import HttpRequest

MAX_FIELD_BYTES = 64 * 1024
MAX_PARTS = 32


class MultipartForm:
    """The parts of one request: whole once `file` has been read to its end.

    Of a field that comes more than once, `fields` has the last value and `values` has all.
    """

    def __init__(self, request: HttpRequest) -> None:
        """Raises: UnsupportedMediaType."""
        media_type, options = parse_options_header(request.headers.get("content-type", ""))
        if media_type != "multipart/form-data" or not options.get("boundary"):
            raise UnsupportedMediaType("files are sent as a form, with 'Content-Type: multipart/form-data'")
        self._request = request
        self._boundary = options["boundary"]
        self._is_in_file = False
        self._name = ""
        self._field = bytearray()
        self.fields: dict[str, str] = {}
        self.values: dict[str, list[str]] = {}
        self.filename: str | None = None

    async def file(self, name: str) -> AsyncIterator[bytes]:
        """Yield the content of the file of that name. Raises: InvalidRequest, for what is no whole form."""
        try:
            with PushMultipartParser(self._boundary, max_segment_count=MAX_PARTS) as parser:
                async for data in chunks_of(self._request):
                    for piece in self._pieces(parser, data, name):
                        yield piece
                if not parser.closed:
                    parser.close()
        except MultipartError as error:
            raise InvalidRequest(f"the form is not whole: {error}") from None
        if self.filename is None:
            raise InvalidRequest(f"'{name}' is required", param=name)

    def _pieces(self, parser: PushMultipartParser, data: bytes, name: str) -> Iterator[bytes]:
        for part in parser.parse(data):
            if isinstance(part, MultipartSegment):
                self._begin(part, name)
            elif part is None:
                self._end()
            elif self._is_in_file:
                yield bytes(part)
            else:
                self._field += part
                if len(self._field) > MAX_FIELD_BYTES:
                    raise InvalidRequest(f"'{self._name}' is longer than {MAX_FIELD_BYTES} bytes", param=self._name)

    def _begin(self, part: MultipartSegment, name: str) -> None:
        self._name, self._field = part.name, bytearray()
        self._is_in_file = part.name == name
        if self._is_in_file:
            if self.filename is not None:
                raise InvalidRequest(f"there is more than one '{name}' in the form", param=name)
            self.filename = part.filename or name

    def _end(self) -> None:
        if not self._is_in_file:
            self.fields[self._name] = self._field.decode(errors="replace")
            self.values.setdefault(self._name, []).append(self.fields[self._name])
