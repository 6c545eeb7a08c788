"""The HTTP client that Hugging Face's library asks with: as bounded in size and time as ours."""

from collections.abc import Iterator

import httpx2

from models.sources.base import SourceError
from models.sources.web import MAX_ANSWER_BYTES, MAX_REDIRECTS

TransportFailure = httpx2.HTTPError
"""What the client raises where there is no answer."""


class _Bounded(httpx2.SyncByteStream):
    """The bytes of an answer, up to a limit."""

    def __init__(self, stream: httpx2.SyncByteStream, host: str) -> None:
        self._stream = stream
        self._host = host

    def __iter__(self) -> Iterator[bytes]:
        left_bytes = MAX_ANSWER_BYTES
        for chunk in self._stream:
            left_bytes -= len(chunk)
            if left_bytes < 0:
                raise SourceError(f"{self._host} answered with more than {MAX_ANSWER_BYTES} bytes")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def bounded_client(scheme: str) -> httpx2.Client:
    """Return a client whose answers end in time and in memory; compressed ones could grow to anything.

    Where the hub is asked over https, no redirect leads out of it.
    """

    def check(request: httpx2.Request) -> None:
        if scheme == "https" and request.url.scheme != scheme:
            raise SourceError(f"the hub sends us on to an address without encryption, {request.url.host}")

    return httpx2.Client(
        timeout=httpx2.Timeout(30.0, connect=15.0),
        headers={"Accept-Encoding": "identity"},
        limits=httpx2.Limits(max_keepalive_connections=0),
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        event_hooks={"request": [check], "response": [_bound]},
    )


def _bound(response: httpx2.Response) -> None:
    host = response.url.host
    if response.headers.get("content-encoding", "identity") != "identity":
        raise SourceError(f"{host} compresses answers that were asked for as they are")
    if isinstance(response.stream, httpx2.SyncByteStream):
        response.stream = _Bounded(response.stream, host)
