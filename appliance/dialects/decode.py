"""JSON bodies into wire structs, with errors that name the field at fault."""

import re
from typing import TypeVar

import msgspec

from appliance.errors import InvalidRequest

T = TypeVar("T")

_PATH = re.compile(r" - at (?:`key` in )?`\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<field>[^`]+)`")


def decode_json(body: bytes, wire: type[T]) -> T:
    """Return `body` as a `wire`. Raises: InvalidRequest, with `param` as OpenAI writes it (`messages[0].role`)."""
    try:
        return msgspec.json.decode(body, type=wire)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from None
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply") from None


def _invalid(text: str) -> InvalidRequest:
    located = _PATH.search(text)
    path = located["path"] if located else ""
    reason = (text[: located.start()] if located else text).replace("`", "'")
    if missing := _MISSING.search(text):
        path = f"{path}.{missing['field']}".lstrip(".")
        return InvalidRequest(f"'{path}' is required", param=path)
    reason = reason[:1].lower() + reason[1:]
    return InvalidRequest(
        f"invalid value for '{path}': {reason}" if path else f"the body: {reason}", param=path or None
    )
