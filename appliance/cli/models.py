"""`appliance models`: which models there are, and which of them are in memory."""

import argparse
from datetime import datetime
from pathlib import Path

import msgspec

from appliance.core.admin import AddModel, InstalledModel, Removed
from appliance.core.units import format_bytes
from appliance.words import tr

from . import adapters, catalogue, convert, find_models, model_store, pull
from .arguments import Group, Parser, Run, add_command, add_parser
from .context import Context
from .exits import DONE
from .fit_text import catalogue_facts, fit_facts
from .made import loss_facts
from .origin import origin_facts
from .output import count, fields, print_json, printable, table
from .progress import show_progress

DESCRIPTION = """
List, add, show and remove models, and say which are in memory.

Listing, adding and removing work without a daemon, too; the other commands need one.
"""
EXAMPLES = """
appliance models list
appliance models add ~/Downloads/qwen3-0.6b-q8_0.gguf
appliance models load qwen3-0.6b-q8_0
appliance models pin guide --off
"""
SHOW_DESCRIPTION = """
Show what is known of a model, whether it is here or only in the catalogue: the memory that it needs with contexts of
several lengths, the longest context that fits now, how fast it should be, its licence, and what it can do.
"""
ADD_DESCRIPTION = """
Make a GGUF file, or a folder with an ONNX graph or safetensors, a model of this machine. The files are read once,
checked and remembered where they are, without a copy; they must stay there, and the daemon must be able to read them.
With --copy they are copied into the appliance's own folder.

A GGUF model that reads pictures or sound does so through a second file, its projector (mmproj-*.gguf). One that lies
beside the model and is its own by its name comes along; --projector names another, or none.

A folder is what onnxruntime-genai's exporter writes, or a download in the layout of transformers.js. Of several graphs
in it, the one that suits a processor best is taken (4-bit weights, else 8-bit, else 32-bit floats); naming a .onnx file
chooses that one. A folder of safetensors is what Hugging Face keeps of Llama, Mistral, Qwen2 and Qwen3; it is quantized
to 8 bits for this machine's own kernels, and its files stay as they are. Others are to be converted first.
"""
LIST_EXAMPLES = """
appliance models list
appliance models list --json
"""
ADD_EXAMPLES = """
appliance models add qwen3-0.6b-q8_0.gguf
appliance models add model.gguf --name my/model:v2
appliance models add /media/stick/model.gguf --copy
appliance models add model.gguf --projector mmproj-model-f16.gguf
appliance models add ~/Downloads/Qwen3-0.6B-ONNX
appliance models add Qwen3-0.6B-ONNX/model_int8.onnx --name qwen3:int8
"""
HEADERS = ("NAME", "SIZE", "PARAMS", "QUANT", "CONTEXT", "STATE", "")


def register(group: Group) -> None:
    """Add the group and its commands."""
    parser = add_parser(group, "models", "list, add, load and remove models", DESCRIPTION, EXAMPLES)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    description = "List the models that can be used, with the context that each gets here once that is known."
    add_command(commands, "list", _list, "list the models that can be used", description, LIST_EXAMPLES)
    add = add_command(commands, "add", _add, "make a file or folder a model", ADD_DESCRIPTION, ADD_EXAMPLES)
    help_ = (
        "the GGUF file, or the first of its parts; the folder of an ONNX model, or one graph in it; or of safetensors"
    )
    add.add_argument("file", type=Path, metavar="PATH", help=help_)
    add.add_argument(
        "--name", metavar="NAME", help="[publisher/]name[:tag] (default: from the file's or folder's name)"
    )
    add.add_argument("--copy", action="store_true", help="copy the files into the appliance's folder")
    help_ = "the file through which it reads pictures or sound (default: one beside it that is its own), or none"
    add.add_argument("--projector", metavar="PATH", help=help_)
    help_ = "take the name from another model, which stays as a version of it (appliance models versions)"
    add.add_argument("--replace", action="store_true", help=help_)
    _add_verb(commands, "show", _show, "show what is known of a model", SHOW_DESCRIPTION)
    description = "Forget a model. A copy is deleted; a file that was adopted where it lay stays there."
    _add_verb(commands, "rm", _remove, "forget a model and delete its copy", description)
    description = "Load a model into memory, which may unload models that nobody uses now."
    _add_verb(commands, "load", _load, "load a model into memory", description)
    description = "Take a model out of memory. The next request for it loads it again."
    _add_verb(commands, "unload", _unload, "take a model out of memory", description)
    description = "Keep a model in memory until the daemon stops; with --off let it go again when it is idle."
    pin = _add_verb(commands, "pin", _pin, "keep a model in memory", description)
    pin.add_argument("--off", action="store_true", help="let it go again when it is idle")
    model_store.register(commands)
    catalogue.register(commands)
    find_models.register(commands)
    adapters.register(commands)
    convert.register(commands)
    pull.register(commands, "models pull")


def _add_verb(commands: Group, verb: str, run: Run, summary: str, description: str) -> Parser:
    examples = f"appliance models {verb} guide\nappliance models {verb} guide --json"
    parser = add_command(commands, verb, run, summary, description, examples)
    parser.add_argument("name", metavar="NAME", help="the model's name, as 'appliance models list' shows it")
    return parser


def _list(arguments: argparse.Namespace, context: Context) -> int:
    # Imported here, as below: the stores are only needed without a daemon.
    from .offline import daemon_or_files

    models = daemon_or_files(context).models()
    if context.is_json:
        print_json(models)
    else:
        print(table(HEADERS, map(_row, models), right=HEADERS[1:3] + HEADERS[4:5]))
    return DONE


def _row(model: InstalledModel) -> tuple[str, ...]:
    tokens = model.context_tokens or model.trained_context_tokens
    flags = (("default", model.is_default), ("pinned", model.is_pinned), ("damaged", model.problems))
    marks = [mark for mark, is_set in flags if is_set]
    marks += [tr("alias of {name}", name=model.alias_of)] if model.alias_of else []
    return (
        model.name,
        format_bytes(model.size_bytes),
        count(model.num_parameters),
        model.quantization or "-",
        str(tokens or "-"),
        tr(model.state),
        ", ".join(map(tr, marks)),
    )


def _add(arguments: argparse.Namespace, context: Context) -> int:
    from .offline import daemon_or_files

    path = str(arguments.file.expanduser().absolute())
    projector = arguments.projector
    if projector not in (None, "none"):
        projector = str(Path(projector).expanduser().absolute())
    order = AddModel(
        path=path, name=arguments.name, copy=arguments.copy, replace=arguments.replace, projector=projector
    )
    events = daemon_or_files(context).adopt(order)
    model = show_progress(events, is_json=context.is_json)
    if not context.is_json:
        if model.choice is not None:
            print(model.choice)
        is_talking = "completion" in model.capabilities
        chat = tr("; chat with it: appliance run {name}", name=model.name) if is_talking else ""
        print(tr("added '{name}'", name=model.name) + chat)
        if model.name_note is not None:
            print(tr("note: {note}", note=model.name_note))
    return DONE


def _show(arguments: argparse.Namespace, context: Context) -> int:
    from .offline import daemon_or_files

    box = daemon_or_files(context)
    fit = box.fit(arguments.name)
    model = box.model(arguments.name) if fit.is_installed else None
    if context.is_json:
        print_json({**(msgspec.to_builtins(model) if model else {}), "fit": fit})
    elif model is None:
        print(fields(catalogue_facts(fit)))
    else:
        print(fields([*_facts(model), *fit_facts(fit)]))
    return DONE


def _facts(model: InstalledModel) -> list[tuple[str, str | None]]:
    added = None if model.added_s is None else f"{datetime.fromtimestamp(model.added_s).astimezone():%Y-%m-%d %H:%M}"
    notes = [note for note, is_set in (("default", model.is_default), ("pinned", model.is_pinned)) if is_set]
    needed = None if model.estimated_bytes is None else tr("about {size}", size=format_bytes(model.estimated_bytes))
    trained, here = map(_tokens, (model.trained_context_tokens, model.context_tokens))
    facts = [
        ("name", model.name),
        ("state", ", ".join(map(tr, [model.state, *notes]))),
        ("architecture", model.architecture),
        ("parameters", None if model.num_parameters is None else count(model.num_parameters)),
        ("quantization", model.quantization),
        ("trained context", trained),
        ("context here", here or tr("chosen when it is loaded")),
        ("can", ", ".join(model.capabilities) or None),
        *([("runs on", _way(model))] if model.backend is not None else []),
        ("size on disk", format_bytes(model.size_bytes)),
        ("memory needed", needed),
        ("licence", model.licence),
        ("file", model.path),
        ("digest", model.digest),
        ("added", added),
        *origin_facts(model),
    ]
    reasons = model.reasons[1:] if model.backend is not None else model.reasons
    reasons = reasons if model.choice is None else (model.choice, *reasons)
    facts += loss_facts(model.quality)
    facts += [("the name", model.name_note)] if model.name_note else []
    return facts + [("damaged", problem) for problem in model.problems] + [("why so", reason) for reason in reasons]


def _tokens(number: int | None) -> str | None:
    return tr("{number} tokens", number=number) if number else None


def _way(model: InstalledModel) -> str:
    """Return what would run it and why, as the first reason says it."""
    reason = next(iter(model.reasons), "")
    return reason if reason.startswith(str(model.backend)) else f"{model.backend}: {reason}"


def _remove(arguments: argparse.Namespace, context: Context) -> int:
    from .offline import daemon_or_files

    removed = daemon_or_files(context).remove(arguments.name)
    if context.is_json:
        print_json(removed)
    else:
        print(tr("removed '{name}'; {rest}", name=removed.name, rest=_what_is_left(removed)))
    return DONE


def _what_is_left(removed: Removed) -> str:
    if removed.kept_path is not None:
        return tr("its file stays where it is: {path}", path=printable(removed.kept_path))
    if removed.freed_bytes == 0:
        return tr("its files stay, as another model is made of the same")
    return tr("{size} freed", size=format_bytes(removed.freed_bytes))


def _load(arguments: argparse.Namespace, context: Context) -> int:
    model = show_progress(context.client().load(arguments.name), is_json=context.is_json)
    if not context.is_json:
        print(tr("'{name}' is in memory", name=model.name))
    return DONE


def _unload(arguments: argparse.Namespace, context: Context) -> int:
    context.client().unload(arguments.name)
    if context.is_json:
        print_json({"model": arguments.name, "is_unloaded": True})
    else:
        print(tr("'{name}' is out of memory; the next request for it loads it again", name=arguments.name))
    return DONE


def _pin(arguments: argparse.Namespace, context: Context) -> int:
    is_pinned = not arguments.off
    context.client().pin(arguments.name, is_pinned=is_pinned)
    if context.is_json:
        print_json({"model": arguments.name, "is_pinned": is_pinned})
    else:
        said = "'{name}' stays in memory" if is_pinned else "'{name}' may leave memory when it is idle"
        print(tr(said, name=arguments.name))
    return DONE
