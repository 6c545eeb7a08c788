"""One value of a setting: from text or TOML to its field's type, or the sentence that refuses it."""

import re
import tomllib
from types import UnionType
from typing import Any

import msgspec

from appliance.core.units import parse_bytes
from models.secret_fields import SECRETS

from .rules import CHOICES, FORMS, KIND_NAMES, NONE_MEANS, RANGES, SIZES


class SettingsError(ValueError):
    """A value that cannot be used. The message names the key, where the value came from and what is accepted."""


class Text(str):
    """A value from the environment: text that stands for a value of the field's own type."""

    __slots__ = ()


def convert(key: str, origin: str, value: object, kind: Any) -> Any:
    """Return a value as its setting's type. Raises: SettingsError."""
    parsed = _parse(key, value, kind)
    try:
        converted = msgspec.convert(parsed, kind)
    except msgspec.ValidationError:
        converted = _REFUSED
    if converted is _REFUSED or not _is_accepted(key, converted):
        shown = repr(str(value) if isinstance(value, Text) else value) if hidden(key, value) == value else "this"
        raise SettingsError(f"{origin}: {key} cannot be {shown}; accepted is {accepted(key, kind)}")
    return converted


_REFUSED = object()
HIDDEN = "(hidden)"
_LIST = re.compile(r"""\s*\[\s*["'\]]""")  # and no IPv6 address
_WORDS = {"true": True, "on": True, "false": False, "off": False}


def _parse(key: str, value: object, kind: Any) -> object:
    """Return `value` as its field's type where it is text that says so; what does not parse comes back unchanged."""
    try:
        if isinstance(value, str) and isinstance(kind, UnionType) and value.strip().lower() == "none":
            return None
        if isinstance(value, str) and key.endswith(SIZES):
            return parse_bytes(value.strip().removesuffix("/s") if key.endswith("_per_s") else value)
        if not isinstance(value, Text):
            return value
        if kind in (str, str | None) or key in CHOICES:
            return str(value)
        if kind == tuple[str, ...] and _LIST.match(value):
            return tomllib.loads(f"list = {value}")["list"]  # as the file has it, and messages say it
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        if kind == tuple[str, ...]:
            return parts
        if kind is bool:
            return _WORDS.get(value.strip().lower(), value)
        if kind == dict[str, str]:
            return {name.strip(): text.strip() for name, _, text in (part.partition("=") for part in parts)}
        return float(value) if kind is float else int(value)
    except ValueError:
        return value


def _is_accepted(key: str, value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if key in RANGES:
        low, high = RANGES[key]
        return bool(low <= value <= high)
    if key in CHOICES:
        return value in CHOICES[key]
    if key in FORMS:
        texts = _texts(value)
        is_right, _ = FORMS[key]
        return all(is_right(text) for text in texts)
    return all(part.strip() for part in value) if isinstance(value, tuple) else bool(value.strip())


def _texts(value: Any) -> tuple[str, ...]:
    """Return what the form of a setting is for: each of a list, each name with its value, or the text itself."""
    if isinstance(value, dict):
        return tuple(f"{name}={text}" for name, text in value.items())
    return value if isinstance(value, tuple) else (value,)


def accepted(key: str, kind: Any) -> str:
    """Return what may be written, in words."""
    if key in CHOICES:
        return "one of " + ", ".join(CHOICES[key])
    is_optional = isinstance(kind, UnionType)
    text = FORMS[key][1] if key in FORMS else KIND_NAMES[int if is_optional else kind]
    if key in RANGES:
        low, high = RANGES[key]
        text += f" from {low} to {high}"
    elif kind is str and key not in FORMS:
        text += " that is not empty"
    if key.endswith(SIZES):
        text += ", or a size such as 32 MiB" + ("/s" if key.endswith("_per_s") else "")
    return text + (f', or "none" {NONE_MEANS.get(key, "to let the machine choose")}' if is_optional else "")


def hidden(key: str, value: Any) -> Any:
    """Return the value, or of a secret only that there is one."""
    return HIDDEN if key.endswith(SECRETS) and value is not None else value
