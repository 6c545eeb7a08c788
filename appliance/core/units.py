"""Bytes and seconds as people write them."""

import re

_BYTE_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_BYTE_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_BYTES = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def parse_bytes(text: str) -> int:
    """Return the number of bytes in `"1.5 GiB"`, `"200MB"` or `"4096"`. Raises: ValueError, with what is accepted."""
    match = _BYTES.fullmatch(text)
    unit = match[2].lower() if match else None
    if match is None or unit not in _BYTE_UNITS:
        raise ValueError(f"{text!r} is not a size; write it as 512 MiB, 4 GiB or a number of bytes")
    return round(float(match[1]) * _BYTE_UNITS[unit])


def format_bytes(num_bytes: float) -> str:
    """Return `num_bytes` with a binary unit and at most one decimal: `"3.8 GiB"`."""
    size = float(num_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def format_seconds(seconds: float) -> str:
    """Return a duration in its two largest units: `"850 ms"`, `"4.2 s"`, `"3 min 5 s"`, `"2 h 10 min"`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
