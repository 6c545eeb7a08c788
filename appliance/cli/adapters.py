"""`appliance models adapters`: LoRA adapters, and the models that they fit."""

import argparse
from pathlib import Path

from appliance.core.store import AdapterView
from appliance.core.units import format_bytes
from appliance.words import tr

from .arguments import Group, add_command, add_parser
from .context import Context
from .exits import DONE
from .output import print_json, printable, table

DESCRIPTION = """
List, add and remove LoRA adapters: small files that change what a model does. Each is checked against the models here,
matrix by matrix, and listed with those that it fits. A request names it behind the model, as qwen3-0.6b+tone; it works
from the moment it is here, also while the model answers, and one copy of the model serves all its adapters.
"""
EXAMPLES = """
appliance models adapters list
appliance models adapters add tone.gguf --base qwen3-0.6b
appliance models adapters rm tone
"""
ADD_DESCRIPTION = """
Take a LoRA adapter in: a GGUF file, or a folder as PEFT writes it, with adapter_config.json and
adapter_model.safetensors. The files stay where they are, unless --copy puts copies into the appliance's own folder.
With --base, an adapter that does not fit that model is refused, with the matrices that differ.
"""
HEADERS = ("NAME", "FORMAT", "SIZE", "RANK", "CHANGES", "MADE FOR", "FITS")


def register(commands: Group) -> None:
    """Add the group to the group `models`."""
    parser = add_parser(commands, "adapters", "list, add and remove LoRA adapters", DESCRIPTION, EXAMPLES)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    description = "List the LoRA adapters, each with the installed models that it fits."
    add_command(verbs, "list", _list, "list the adapters", description, "appliance models adapters list --json")
    examples = "appliance models adapters add tone.gguf --base qwen3-0.6b\nappliance models adapters add ./lora --copy"
    add = add_command(verbs, "add", _add, "take an adapter in", ADD_DESCRIPTION, examples)
    add.add_argument("path", type=Path, metavar="PATH", help="the GGUF file, or the folder that PEFT wrote")
    add.add_argument("--name", metavar="NAME", help="what it is to be called (default: from its file's name)")
    add.add_argument("--base", metavar="MODEL", help="an installed model that it must fit")
    add.add_argument("--copy", action="store_true", help="copy the files into the appliance's folder")
    description = "Forget an adapter. A copy is deleted; files that were adopted where they lay stay there."
    remove = add_command(verbs, "rm", _remove, "forget an adapter", description, "appliance models adapters rm tone")
    remove.add_argument("name", metavar="NAME", help="the adapter's name")


def _list(arguments: argparse.Namespace, context: Context) -> int:
    # Imported here, as below: the stores are only needed without a daemon.
    from .offline import daemon_or_files

    adapters = daemon_or_files(context).adapters()
    if context.is_json:
        print_json(adapters)
    elif adapters:
        print(table(HEADERS, map(_row, adapters), right=("SIZE", "RANK")))
    else:
        print(tr("there is no adapter; add one with: appliance models adapters add PATH"))
    return DONE


def _row(adapter: AdapterView) -> tuple[str, ...]:
    return (
        adapter.name,
        adapter.format,
        format_bytes(adapter.size_bytes),
        str(adapter.rank),
        ", ".join(adapter.targets),
        adapter.base or adapter.architecture or "-",
        ", ".join(adapter.fits) or tr("none here"),
    )


def _add(arguments: argparse.Namespace, context: Context) -> int:
    from .offline import daemon_or_files

    path = str(arguments.path.expanduser().absolute())
    adapter = daemon_or_files(context).add_adapter(path, name=arguments.name, copy=arguments.copy, base=arguments.base)
    if context.is_json:
        print_json(adapter)
    else:
        models = ", ".join(adapter.fits)
        fits = tr("it fits {models}", models=models) if models else tr("it fits no model that is installed")
        print(tr("added the adapter '{name}' of rank {rank}; {fits}", name=adapter.name, rank=adapter.rank, fits=fits))
    return DONE


def _remove(arguments: argparse.Namespace, context: Context) -> int:
    from .offline import daemon_or_files

    removed = daemon_or_files(context).remove_adapter(arguments.name)
    if context.is_json:
        print_json(removed)
    elif removed.kept_path is not None:
        path = printable(removed.kept_path)
        print(tr("removed the adapter '{name}'; its files stay where they are: {path}", name=removed.name, path=path))
    else:
        size = format_bytes(removed.freed_bytes)
        print(tr("removed the adapter '{name}'; {size} freed", name=removed.name, size=size))
    return DONE
