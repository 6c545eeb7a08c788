"""Printing: JSON, aligned tables and text that cannot command the terminal."""

from collections.abc import Iterable, Sequence

import msgspec

from appliance.words import tr
from appliance.words.width import ljust, rjust, width_of

_CONTROLS = {code: None for code in (*range(32), 127, *range(128, 160)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """Return `text` without control characters: what a model says must not move the cursor or rename the window."""
    return text.translate(_CONTROLS)


def print_json(value: object) -> None:
    """Print a value as one line of JSON, sets and mappings in order, so that two outputs can be compared."""
    print(msgspec.json.encode(value, order="deterministic").decode(), flush=True)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Return rows below their headers in aligned columns; those named in `right` are aligned at their right end.

    Headers are English here, and in the language of the person when they are printed.
    """
    cells = [[tr(header) for header in headers], *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(width_of, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = [
            rjust(value, width) if header in right else ljust(value, width)
            for value, width, header in zip(row, widths, headers, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def fields(pairs: Iterable[tuple[str, str | None]]) -> str:
    """Return `name  value` lines with aligned values; None is what is not known. Names are English, as in `table`."""
    known = [(tr(name), _cell(value or tr("unknown"))) for name, value in pairs]
    width = max(width_of(name) for name, _ in known)
    return "\n".join(f"{ljust(name, width)}  {value}".rstrip() for name, value in known)


def _cell(value: str) -> str:
    return " ".join(printable(value).split())


def count(number: float | None) -> str:
    """Return a large number in short: `1.1M`, `596M`, `7.6B`; `-` for None."""
    if number is None:
        return "-"
    for unit in ("", "K", "M", "B"):
        if number < 999.5:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.4g}T"
