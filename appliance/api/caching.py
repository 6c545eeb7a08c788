"""What HTTP says about cached answers: `Cache-Control` of a request, `X-Cache`, `Age` and `ETag` of a response, 304.

`X-Cache-Similarity` says that a near question was answered, and how near it is.

Source: RFC 9111, sections 4.2.3 and 5.2.1; RFC 9110, section 13.1.2.
"""

from collections.abc import Mapping

import msgspec
from litestar.types import ASGIApp, Receive, Scope, Send

from appliance.core.request import GenerateRequest
from appliance.core.response_cache import CacheMark, CacheWish
from appliance.errors import InvalidRequest

from .sse import Headers

_MAX_AGE_DIGITS = 10


def with_headers(core: GenerateRequest, headers: Mapping[str, str]) -> GenerateRequest:
    """Return the request with what `Cache-Control` adds to its own wish. Raises: InvalidRequest."""
    control = headers.get("cache-control")
    if not control:
        return core
    wish = wish_of(control, core.cache or CacheWish())
    return core if wish == core.cache else msgspec.structs.replace(core, cache=wish)


def wish_of(control: str, wish: CacheWish) -> CacheWish:
    """Return the wish with the directives of a request's `Cache-Control`. Raises: InvalidRequest."""
    directives = dict(_directive(part) for part in control.lower().split(",") if part.strip())
    if "no-store" in directives:
        return msgspec.structs.replace(wish, mode="off")
    age = directives.get("max-age")
    if age is not None and not (age.isdecimal() and len(age) <= _MAX_AGE_DIGITS):
        raise InvalidRequest(f"Cache-Control: max-age={age[:40]}: a number of seconds is needed")
    return msgspec.structs.replace(
        wish,
        refreshes=wish.refreshes or "no-cache" in directives or age == "0",
        max_age_s=wish.max_age_s if age is None else float(age),
        only_cached=wish.only_cached or "only-if-cached" in directives,
    )


def cache_headers(mark: CacheMark) -> Headers:
    """Return the headers that say where an answer comes from."""
    headers = [(b"x-cache", mark.outcome.encode())]
    if mark.age_s is not None:
        headers.append((b"age", b"%d" % mark.age_s))
    if mark.similarity is not None:
        headers.append((b"x-cache-similarity", b"%.3f" % mark.similarity))
    if mark.name is not None:
        headers.append((b"etag", _tag(mark.name)))
    return headers


def is_known(mark: CacheMark, headers: Mapping[str, str]) -> bool:
    """Return whether the caller has this answer already, by its `If-None-Match`."""
    known = headers.get("if-none-match")
    if known is None or mark.outcome != "hit" or mark.name is None:
        return False
    return known.strip() == "*" or _tag(mark.name).decode() in (
        tag.strip().removeprefix("W/") for tag in known.split(",")
    )


def not_modified(headers: Headers) -> ASGIApp:
    """Return the answer for a caller who has it already."""

    async def reply(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 304, "headers": [*headers]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return reply


def _directive(part: str) -> tuple[str, str]:
    name, _, value = part.strip().partition("=")
    return name.strip(), value.strip().strip('"')


def _tag(name: str) -> bytes:
    return b'"%b"' % name.encode()
