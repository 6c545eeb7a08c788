"""Every English sentence that a person may read, found in the code, so that a language can be held against them.

python -m tests.words zh      the sentences that this language lacks, as JSON
"""

import ast
import json
import string
import sys
from collections.abc import Iterator
from pathlib import Path

from appliance.core.quirks import QUIRKS
from appliance.settings.descriptions import DESCRIPTIONS

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "appliance" / "words"
SPEAKERS = (ROOT / "appliance" / "cli", ROOT / "appliance" / "client", ROOT / "tui")
DYNAMIC = (
    *("stopped", "loading", "ready", "stopping", "failed"),
    *("queued", "running", "paused", "done", "cancelled", "waiting"),
    *("serving", "draining"),
    *("ok", "note", "warning", "error", "default", "pinned", "damaged"),
    *("environment", "file", "flag"),
    *("yes", "partly", "no", "job", "task"),
    *("options", "positional arguments", "commands", "more", "show this help message and exit", "usage: "),
    *("the following arguments are required: %s", "unrecognized arguments: %s", "not allowed with argument %s"),
    *("argument %(argument_name)s: %(message)s", "invalid choice: %(value)r (choose from %(choices)s)"),
    *("expected one argument", "expected at least one argument", "invalid %(type)s value: %(value)r"),
    *("palette",),
)
"""States and the like, which reach `tr` as values; and the words that argparse and Textual bring."""

_PARAGRAPHS = {"texts": (0,), "add_command": (3, 4), "add_parser": (2, 3), "_add_verb": (3, 4), "add_verb": (5, 6)}
"""Functions of the command line and which of their arguments are sentences; a description is one to each paragraph."""


def sentences() -> dict[str, str]:
    """Return each sentence with where it was found first."""
    found = dict.fromkeys(DYNAMIC, "values")
    found |= dict.fromkeys((quirk.does for quirk in QUIRKS), "appliance/core/quirks.py")
    found |= dict.fromkeys(DESCRIPTIONS.values(), "appliance/settings/descriptions.py")
    for folder in SPEAKERS:
        for path in sorted(folder.rglob("*.py")):
            for text in _in_file(ast.parse(path.read_text())):
                found.setdefault(text, path.relative_to(ROOT).as_posix())
    return found


def translated(language: str) -> dict[str, str]:
    """Return what a language has."""
    words: dict[str, str] = json.loads((FOLDER / f"{language}.json").read_text())
    return words


def fields_of(text: str) -> set[str]:
    """Return the names that are replaced in a sentence."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def _in_file(tree: ast.Module) -> Iterator[str]:
    constants = _constants(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="tr" | "counted" as name)):
                for argument in node.args[:1] if name == "tr" else node.args[1:3]:
                    yield from _texts(argument, constants)
            case ast.Call(func=ast.Name(id="Binding")):
                described = [*node.args[2:3], *(each.value for each in node.keywords if each.arg in _SHOWN)]
                for argument in described:
                    yield from _texts(argument, constants)
            case ast.Call(func=ast.Name(id="Column" | "Entry" | "Title")):
                for argument in node.args[1:2]:
                    yield from _texts(argument, constants)
            case ast.Call(func=ast.Name(id=name)) if name in _PARAGRAPHS:
                for place in _PARAGRAPHS[name]:
                    for text in _texts(node.args[place], constants) if place < len(node.args) else ():
                        yield from (" ".join(part.split()) for part in text.strip().split("\n\n"))
            case ast.Call(func=ast.Name(id="table")):
                yield from _elements(node.args[0], constants)
            case ast.Call(func=ast.Attribute(attr="add_argument")):
                for each in node.keywords:
                    if each.arg == "help":
                        yield from _texts(each.value, constants)
            case ast.Yield(value=ast.Tuple(elts=[ast.Constant(value=str(name)), _])) if any(map(str.isalpha, name)):
                yield name
            case ast.FunctionDef(name=name) if name.lstrip("_").endswith("facts"):
                yield from _names_of_facts(node)
            case ast.Assign(targets=[ast.Name(id="EXPLAINS" | "HELP")]):
                yield from _texts(node.value, constants)


_SHOWN = ("description", "tooltip")


def _constants(tree: ast.Module) -> dict[str, list[ast.expr]]:
    """Return what each name may mean in a file: all that is assigned to it, and what a loop gives it one by one."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.setdefault(name, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found.setdefault(name, []).append(value)
    for node in ast.walk(tree):
        match node:
            case ast.For() | ast.comprehension():
                for name, value in _given(node.target, node.iter, found):
                    found.setdefault(name, []).append(value)
    return found


def _given(target: ast.expr, rows: ast.expr, known: dict[str, list[ast.expr]]) -> Iterator[tuple[str, ast.expr]]:
    for each in known.get(rows.id, ()) if isinstance(rows, ast.Name) else (rows,):
        for row in each.elts if isinstance(each, ast.Tuple | ast.List) else ():
            match target, row:
                case ast.Name(id=name), ast.Constant():
                    yield name, row
                case ast.Tuple(elts=names), ast.Tuple(elts=values):
                    pairs = zip(names, values, strict=False)  # a starred name takes several
                    yield from ((name.id, value) for name, value in pairs if isinstance(name, ast.Name))


def _texts(node: ast.expr, constants: dict[str, list[ast.expr]]) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)) if any(map(str.isalpha, text)):
            yield text
        case ast.Name(id=name):
            for value in constants.get(name, ()):
                if not isinstance(value, ast.Name):
                    yield from _texts(value, constants)
        case ast.IfExp(body=body, orelse=orelse):
            yield from _texts(body, constants)
            yield from _texts(orelse, constants)
        case ast.Subscript(value=ast.Name(id=name)) | ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="get")):
            for value in constants.get(name, ()):
                if isinstance(value, ast.Dict):
                    for each in value.values:
                        yield from _texts(each, constants)


def _elements(node: ast.expr, constants: dict[str, list[ast.expr]]) -> Iterator[str]:
    match node:
        case ast.Tuple(elts=elements):
            for each in elements:
                if isinstance(each, ast.Starred):
                    yield from _elements(each.value, constants)
                else:
                    yield from _texts(each, constants)
        case ast.Name(id=name):
            for value in constants.get(name, ()):
                yield from _elements(value, constants)


def _names_of_facts(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        match node:
            case ast.Tuple(elts=[ast.Constant() | ast.IfExp() as name, _]):
                yield from _texts(name, {})


def main(language: str) -> None:
    known = translated(language)
    missing = {text: where for text, where in sentences().items() if text not in known}
    print(json.dumps(missing, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main(sys.argv[1])
