"""Where in a settings file a key stands: the settings themselves only know its name."""

import re
from pathlib import Path

_SECTION = re.compile(r"\s*\[\s*([\w.-]+)\s*\]")
_KEY = re.compile(r"\s*([\w.-]+)\s*=")
_MAX_BYTES = 256 * 1024


def with_line(problem: str, file: Path) -> str:
    """Return the problem with the number of the line, where it begins with a key of `file` (`FILE:KEY: …`)."""
    found = re.match(rf"{re.escape(str(file))}:([\w.-]+): ", problem)
    if found is None:
        return problem
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            line = line_of(stream.read(_MAX_BYTES), found[1])
    except OSError:
        return problem
    return problem if line is None else f"{file}, line {line}: {problem[found.end() :]}"


def line_of(text: str, key: str) -> int | None:
    """Return the number of the line that sets `section.name`, or that a section begins with; None where none does."""
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _SECTION.match(line):
            section = header[1]
            if section == key:
                return number
        elif (name := _KEY.match(line)) and f"{section}.{name[1]}".lstrip(".") == key:
            return number
    return None
