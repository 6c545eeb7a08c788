"""`appliance models find`: models that other programs keep on this machine, and taking them over where they lie."""

import argparse
import fnmatch
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

import msgspec

from appliance.core.admin import AddModel, Done, InstalledModel, Progress
from appliance.core.store import Beginning, Provenance
from appliance.core.units import format_bytes
from appliance.words import tr
from models.importers.base import ForeignModel
from models.importers.places import TITLES, VARIABLES, usual_places

from .arguments import Group, add_command
from .context import Context
from .exits import DONE, REFUSED, WRONG_USAGE, CommandError, explain
from .output import print_json, printable, table
from .progress import show_progress

WHAT = """\
Look for models that other programs keep on this machine ({programs}), and take them over where they lie, without a \
copy. With a model of Ollama come its name and tag, its system message and its parameters. The files stay their \
owner's: when that program deletes them, the model is gone here, too."""
WHERE = """\
Your own folders are looked at, and the one of Ollama's service; {variables} say where else. The daemon reads the \
files as its own user, which must be allowed to."""
EXAMPLES = """
appliance models find
appliance models find --adopt --all
appliance models find --adopt qwen3:0.6b 'llama*'
"""
Adopt = Callable[[AddModel], Generator[Progress | Done, None, None]]


class FoundModel(msgspec.Struct, frozen=True, kw_only=True):
    """One line of what was found; `adopted_as` is the name of the installed model of these files."""

    program: str
    title: str
    name: str
    path: str
    format: str
    size_bytes: int
    adopted_as: str | None
    problem: str | None


def register(commands: Group) -> None:
    """Add the command to the group `models`."""
    what, where = tr(WHAT, programs=", ".join(TITLES.values())), tr(WHERE, variables=", ".join(VARIABLES))
    find = add_command(commands, "find", _find, "take over other programs' models", f"{what}\n\n{where}", EXAMPLES)
    find.add_argument("--adopt", action="store_true", help="take the named models over")
    find.add_argument("--all", action="store_true", help="with --adopt: take all of them over")
    find.add_argument("names", nargs="*", metavar="NAME", help="which, by the names that are listed; * stands for any")


def _find(arguments: argparse.Namespace, context: Context) -> int:
    # Imported here: the stores are only needed without a daemon.
    from models.importers.everywhere import find_everywhere

    from .offline import daemon_or_files

    if arguments.all and not arguments.adopt:
        raise CommandError(tr("--all says what --adopt takes over; write --adopt --all"), WRONG_USAGE)
    if arguments.adopt and bool(arguments.names) == arguments.all:
        raise CommandError(tr("say what to take over: --adopt NAME…, or --adopt --all"), WRONG_USAGE)
    search = find_everywhere(usual_places(context.environ, Path.home()))
    appliance = daemon_or_files(context)
    adopted = _adopted(appliance.models())
    chosen = [model for model in search.models if _is_named(model, arguments.names)]
    if arguments.names and not chosen:
        raise CommandError(tr("no model of that name was found; see: appliance models find"), REFUSED)
    if arguments.adopt:
        return _adopt(chosen, adopted, appliance.adopt, context)
    found = [_line(model, adopted) for model in chosen]
    if context.is_json:
        print_json(found)
        return DONE
    headers = ("NAME", "PROGRAM", "FORMAT", "SIZE", "HERE AS")
    print(table(headers, map(_row, found), right=("SIZE",)) if found else tr("no other program keeps models here"))
    for note in search.notes:
        print(printable(note))
    if any(line.adopted_as is None and line.problem is None for line in found):
        print(tr("take them over where they lie: appliance models find --adopt NAME"))
    return DONE


def _adopt(models: Sequence[ForeignModel], adopted: Mapping[str, str], adopt: Adopt, context: Context) -> int:
    """Take models over one after the other; one that cannot be does not keep the others from it."""
    num_failed = 0
    for model in models:
        before = adopted.get(_real(model.path))
        if before is not None or model.problem is not None:
            num_failed += before is None
            _say(context, f"'{model.name}': {model.problem or tr('is here as {name!r}', name=before)}")
            continue
        try:
            made = show_progress(adopt(_order(model)), is_json=context.is_json)
            _say(context, tr("'{name}' is here, out of {program}", name=made.name, program=TITLES[model.program]))
        except Exception as error:
            num_failed += 1
            _say(context, f"'{model.name}': {explain(error)[0]}")
    return REFUSED if num_failed else DONE


def _order(model: ForeignModel) -> AddModel:
    preset, provenance = model.preset, model.provenance
    beginning = provenance_ = None
    if preset is not None:
        told = msgspec.to_builtins(preset)
        told.pop("parent", None)
        beginning = msgspec.convert(told, Beginning)
    if provenance is not None:
        provenance_ = msgspec.convert(msgspec.to_builtins(provenance), Provenance)
    return AddModel(
        path=model.path, name=model.name, beginning=beginning, provenance=provenance_, projector=model.projector
    )


def _line(model: ForeignModel, adopted: Mapping[str, str]) -> FoundModel:
    return FoundModel(
        program=model.program,
        title=model.title,
        name=model.name,
        path=model.path,
        format=model.format,
        size_bytes=model.size_bytes,
        adopted_as=adopted.get(_real(model.path)),
        problem=model.problem,
    )


def _row(found: FoundModel) -> tuple[str, ...]:
    here = found.adopted_as or (tr("cannot be: {problem}", problem=found.problem) if found.problem else "-")
    program = next(title for program, title in TITLES.items() if program == found.program)
    return (found.name, program, found.format, format_bytes(found.size_bytes), here)


def _adopted(models: Sequence[InstalledModel]) -> dict[str, str]:
    """Return the names of installed models by the real path of their first file, and by its folder."""
    names: dict[str, str] = {}
    for model in models:
        path = Path(model.path)
        names.setdefault(_real(model.path), model.name)
        if model.format != "gguf":
            names.setdefault(str(path.parent), model.name)
            names.setdefault(str(path.parent.parent), model.name)
    return names


def _is_named(model: ForeignModel, patterns: Sequence[str]) -> bool:
    return not patterns or any(
        fnmatch.fnmatchcase(name, pattern.lower())
        for pattern in patterns
        for name in (model.name.lower(), model.title.lower())
    )


def _real(path: str) -> str:
    return str(Path(path).resolve()) if path.lower().endswith((".gguf",)) or Path(path).is_file() else path


def _say(context: Context, text: str) -> None:
    if not context.is_json:
        print(printable(text))
