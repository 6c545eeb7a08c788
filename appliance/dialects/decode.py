"""JSON bodies into wire structs, with errors that name the field at fault."""

import re
from itertools import accumulate
from typing import Any, TypeVar

import msgspec

from appliance.errors import InvalidRequest

from .choices import choices

T = TypeVar("T")

MAX_DEPTH = 128
"""A schema or an argument nested deeper has no honest use, and what walks it by recursion would fail at some place."""

_PATH = re.compile(r" - at (?:`key` in )?`\$\.?(?P<path>[^`]*)`$")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {**dict.fromkeys(b"[{", 1), **dict.fromkeys(b"]}", -1)}
_LONG_INTEGER = re.compile(rb"(?<![\d.])-?\d{19,}(?![\d.eE])")
_DIGITS = bytes(48 if byte in b"0123456789" else 32 for byte in range(256))
_LONG_RUN = b"0" * 19
"""A run of so many digits is looked for first, as a picture in base64 is millions of letters with few of them."""
_NO_CHOICE = "Invalid enum value "
_MISSING = re.compile(r"missing required field `(?P<field>[^`]+)`")


def decode_json(body: bytes, wire: type[T]) -> T:
    """Return `body` as a `wire`. Raises: InvalidRequest, with `param` as OpenAI writes it (`messages[0].role`)."""
    try:
        value = msgspec.json.decode(body, type=wire)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), wire) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from None
    except RecursionError:
        raise _too_deep() from None
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and depth_of(body) > MAX_DEPTH:
        raise _too_deep()
    if _LONG_RUN in body.translate(_DIGITS) and _has_huge_integer(body):
        raise InvalidRequest("the body holds an integer of more than 64 bits")
    return value


def _has_huge_integer(body: bytes) -> bool:
    """Return whether valid JSON holds an integer that cannot be sent on to a worker."""
    return any(not -(2**63) <= int(digits) < 2**64 for digits in _LONG_INTEGER.findall(_STRING.sub(b"", body)))


def depth_of(body: bytes) -> int:
    """Return how many arrays and objects of valid JSON lie within each other."""
    brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKET)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def _too_deep() -> InvalidRequest:
    return InvalidRequest(f"the body is nested too deeply; at most {MAX_DEPTH} levels are read")


def convert_json(value: object, wire: Any, path: str, *, strict: bool = True) -> Any:
    """Return `value`, which stands at `path` of a body, as a `wire`. Raises: InvalidRequest, as `decode_json`.

    Unless `strict`, numbers and truth values may be written as text, as the fields of a form are.
    """
    try:
        return msgspec.convert(value, wire, strict=strict)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), wire, path) from None


def _invalid(text: str, wire: Any, root: str = "") -> InvalidRequest:
    located = _PATH.search(text)
    path = inner = located["path"] if located else ""
    path = f"{root}.{path}".strip(".").replace(".[", "[")
    reason = (text[: located.start()] if located else text).replace("`", "'")
    if reason.startswith(_NO_CHOICE) and (known := choices(wire, inner)):
        reason = f"{reason.removeprefix(_NO_CHOICE)} is not one of {', '.join(known)}"
    if missing := _MISSING.search(text):
        path = f"{path}.{missing['field']}".lstrip(".")
        return InvalidRequest(f"'{path}' is required", param=path)
    reason = reason[:1].lower() + reason[1:]
    return InvalidRequest(
        f"invalid value for '{path}': {reason}" if path else f"the body: {reason}", param=path or None
    )
