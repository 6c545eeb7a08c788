"""The path of a request as it was meant by a client whose base address ends with the prefix that it adds itself."""

import msgspec

_DOUBLED = ("/v1/v1/", "/api/api/")


class RequestPath(msgspec.Struct, frozen=True):
    """The path of a request, without its query."""

    path: str


def undoubled(wire: RequestPath) -> RequestPath:
    """Return the path with each prefix once."""
    path = wire.path
    while path.startswith(_DOUBLED):
        path = path[path.index("/", 1) :]
    return wire if path == wire.path else RequestPath(path)
