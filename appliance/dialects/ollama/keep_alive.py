"""How long a model stays in memory, as Ollama writes it.

Source: Go, package time, ParseDuration, for the texts; a number counts seconds, and a negative one means for ever.
"""

import math
import re

from appliance.errors import InvalidRequest

KeepAlive = int | float | str

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
_DURATION = re.compile(rf"([+-]?)((?:{_PART})+)")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?")
_MAX_LENGTH = 64


def keep_alive_s(value: KeepAlive | None) -> float | None:
    """Return seconds, `math.inf` for ever, None where the caller was silent. Raises: InvalidRequest."""
    if value is None or value == "":
        return None
    seconds = _parsed(value) if isinstance(value, str) else float(value)
    return math.inf if seconds < 0 else seconds


def _parsed(text: str) -> float:
    if len(text) <= _MAX_LENGTH:
        if _NUMBER.fullmatch(text):
            return float(text)
        if duration := _DURATION.fullmatch(text):
            seconds = sum(float(amount) * _UNITS_S[unit] for amount, unit in re.findall(_PART, duration[2]))
            return -seconds if duration[1] == "-" else seconds
    raise InvalidRequest(
        f"'keep_alive' is {text[:_MAX_LENGTH]!r}, which is no duration; write 5m, 1h30m, a number of seconds, "
        "0 to unload the model afterwards or -1 to keep it",
        param="keep_alive",
    )
