"""A machine's files as one readable text: how a folder tree is written down, and how it is laid out again.

    # comments, at the top only
    ==> proc/cpuinfo <==                             a file; its text follows
    ==> sys/block/sda -> ../devices/x/sda <==        a symbolic link
    ==> sys/class/drm/ <==                           an empty folder
    ==> sys/x/cpu{n}/core_id for n in 0..7 <==       eight files; `{n//2}`, `{n%4+1}` in path and text, left to right

Sections of one path are joined. A backslash marks a line of a file that could be taken for a section, and stands at
the end of a file whose last line has no end. NUL is written as ␀.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_HEADER = re.compile(r"==> (?P<path>.+?)(?: -> (?P<target>.+))?(?: for n in (?P<first>\d+)\.\.(?P<last>\d+))? <==")
_ESCAPED = re.compile(r"^(?=\\*==> )", re.MULTILINE)
_UNESCAPED = re.compile(r"^\\(?=\\*==> )", re.MULTILINE)
_EXPRESSION = re.compile(r"\{n((?:(?://|[%+*])\d+)*)\}")
_STEP = re.compile(r"(//|[%+*])(\d+)")
_NO_NEWLINE = "\\\n"
_NUL = "␀"
_MAX_REPEATS = 4096


def file_section(path: str, text: str) -> str:
    """Return the section of a file."""
    body = _ESCAPED.sub(r"\\", text).replace("\0", _NUL)
    return f"==> {path} <==\n{body}" + (_NO_NEWLINE if body and not body.endswith("\n") else "")


def link_section(path: str, target: str) -> str:
    """Return the section of a symbolic link."""
    return f"==> {path} -> {target} <==\n"


def unpack(text: str, folder: Path) -> None:
    """Lay a fixture out in an empty folder. Raises: ValueError, when a section would lead out of it."""
    for path, target, body in _sections(text):
        place = PurePosixPath(path)
        if place.is_absolute() or ".." in place.parts:
            raise ValueError(f"{path} leads out of the folder")
        where = folder / place
        if path.endswith("/"):
            where.mkdir(parents=True, exist_ok=True)
            continue
        where.parent.mkdir(parents=True, exist_ok=True)
        if not where.parent.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{path} leads out of the folder")
        if target is not None:
            where.symlink_to(target)
        elif where.is_symlink():
            raise ValueError(f"{path} is a link already")
        else:
            with where.open("a", encoding="utf-8", newline="") as file:
                file.write(body)


def _sections(text: str) -> Iterator[tuple[str, str | None, str]]:
    """Yield (path, target of a link, text) of each section, those with a range once for each number."""
    header: re.Match[str] | None = None
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        if found := _HEADER.fullmatch(line.rstrip("\n")):
            yield from _expand(header, "".join(lines))
            header, lines = found, []
        else:
            lines.append(line)
    yield from _expand(header, "".join(lines))


def _expand(header: re.Match[str] | None, body: str) -> Iterator[tuple[str, str | None, str]]:
    if header is None:
        return
    body = _UNESCAPED.sub("", body.removesuffix(_NO_NEWLINE)).replace(_NUL, "\0")
    path, target = header["path"], header["target"]
    if header["first"] is None:
        yield path, target, body
        return
    first, last = int(header["first"]), int(header["last"])
    if last - first >= _MAX_REPEATS:
        raise ValueError(f"{path} is repeated too often")
    for number in range(first, last + 1):
        yield _fill(path, number), None if target is None else _fill(target, number), _fill(body, number)


def _fill(template: str, number: int) -> str:
    return _EXPRESSION.sub(lambda found: str(_evaluate(found[1], number)), template)


def _evaluate(steps: str, number: int) -> int:
    for sign, digits in _STEP.findall(steps):
        operand = int(digits)
        if sign == "+":
            number += operand
        elif sign == "*":
            number *= operand
        else:
            number = number // operand if sign == "//" else number % operand
    return number
