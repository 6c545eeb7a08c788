"""Figures as text of a fixed width: bars, percentages, sizes, and two texts at the ends of a line. Pure."""

from rich.cells import cell_len, set_cell_size

from appliance.core.units import format_seconds

from .tones import Tone, Toned, plain, printable

UNKNOWN = "–"
"""What stands where a figure is not known."""


def bar(ratio: float | None, width: int, tone: Tone = "secondary") -> tuple[tuple[str, Tone], ...]:
    """Return a bar that is full to `ratio`, `width` cells long. One of nothing known is an empty one."""
    halves = round(min(1.0, max(0.0, ratio or 0.0)) * width * 2)
    if ratio and halves == 0:
        halves = 1  # little is not nothing
    filled = "━" * (halves // 2) + "╸" * (halves % 2)
    return ((filled, tone), ("─" * (width - len(filled)), "muted"))


def percent(ratio: float | None) -> str:
    """Return `" 83 %"`, always five cells."""
    return f"{UNKNOWN if ratio is None else f'{ratio * 100:.0f} %':>5}"


def size(num_bytes: float | None) -> str:
    """Return a size in at most eight cells: `"15.6 GiB"`, `"192 MiB"`."""
    if num_bytes is None:
        return UNKNOWN
    value = float(num_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 999.5:
            return f"{value:.1f} {unit}" if unit == "GiB" and value < 99.95 else f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def duration(seconds: float | None) -> str:
    """Return a duration as it is written everywhere, a dash where it is not known."""
    return UNKNOWN if seconds is None else format_seconds(seconds)


def short_duration(seconds: float | None) -> str:
    """Return a duration in one unit and at most six cells: `"850 ms"`, `"4.2 s"`, `"185 s"`, `"52 min"`."""
    if seconds is None:
        return UNKNOWN
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 1000 else f"{seconds / 60:.0f} min"


def coarse_duration(seconds: float) -> str:
    """Return a duration in whole minutes, hours or days: what changes every second draws the eye for nothing."""
    minutes = max(1, round(seconds / 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} d"


def number(value: float | None) -> str:
    """Return a count with its thousands apart, a dash where it is not known."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def rate(value: float | None) -> str:
    """Return a rate with one decimal while that says something."""
    if value is None:
        return UNKNOWN
    return f"{value:.1f}" if value < 999.95 else f"{value:,.0f}"


def at_left(text: str, width: int) -> str:
    """Return a text with blanks behind it; a character may be two cells wide."""
    return text + " " * (width - cell_len(text))


def at_right(text: str, width: int) -> str:
    """Return a text with blanks before it."""
    return " " * (width - cell_len(text)) + text


def parts(text: Toned) -> tuple[tuple[str, Tone], ...]:
    """Return the parts of a text with their tones."""
    return ((text, ""),) if isinstance(text, str) else text


def joined(*texts: Toned) -> Toned:
    """Return texts one after the other."""
    return tuple(part for text in texts for part in parts(text))


def cut(text: Toned, width: int) -> Toned:
    """Return what of a text fits into `width` cells of one line, with an ellipsis where something is left out."""
    text = printable(text)
    if cell_len(plain(text)) <= width:
        return text
    left, kept = max(0, width - 1), []
    for part, tone in parts(text):
        taken = part if cell_len(part) <= left else set_cell_size(part, left).rstrip()
        kept.append((taken, tone))
        left -= cell_len(taken)
        if taken != part or left <= 0:
            kept.append(("…" if width > 0 else "", tone))
            break
    return tuple(kept)


def spread(left: Toned, right: Toned, width: int) -> Toned:
    """Return a line of exactly `width` cells with a text at each end; the left one gives way."""
    right = cut(right, width)
    room = width - cell_len(plain(right))
    shown = cut(left, max(0, room - 2) if plain(right) else room)
    return joined(shown, " " * (room - cell_len(plain(shown))), right)
