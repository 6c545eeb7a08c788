"""`appliance kernels`: our own kernels, compiled for the very processor: which models have them, and how fast."""

import argparse

from appliance.core.kernels import CompiledModel, KernelSpeed
from appliance.core.units import format_bytes
from appliance.words import tr

from .arguments import Group, add_command, add_parser
from .context import Context
from .exits import DONE
from .follow import follow
from .output import print_json, table

DESCRIPTION = """
Compile models for this very processor, see what is compiled, and tune it.

Where our own kernels are known to be faster, models in Q4_0 and Q8_0 are compiled when they are added, and so are
folders of safetensors, which run on nothing else. Any other model of the Llama family can be compiled by hand.
"""
EXAMPLES = """
appliance kernels list
appliance kernels compile qwen3-0.6b
appliance kernels tune
"""
COMPILE_DESCRIPTION = """
Make an installed model ready for our own kernels; it runs on them from the next time it is loaded.

Q4_0 and Q8_0 keep their weights as they are. All others are quantized anew, to 8 bits: larger than 4 bits, a little
less exact than what they were made from. 4 bits are smaller and faster, and lose more. The files themselves stay as
they are; beside them the weights are kept once more.
"""
LIST_DESCRIPTION = """
List what is compiled: for which processor, kernels and compiler, how large, and how many tokens a second it read in a
prompt of 256 and generated for 1 and for 8 sequences when it was compiled or tuned. What is marked as old is of another
version or processor; 'appliance kernels clean' deletes it.
"""
TUNE_DESCRIPTION = """
Measure which tiles are the fastest on this machine for a model's matrices, or for those of all models that are
compiled. It takes some seconds for each matrix and is refused while models answer.

What is found is kept for all that is compiled from now on; models that are compiled already are compiled anew.
"""
HEADERS = ("MODEL", "FOR", "KERNELS", "COMPILER", "SIZE", "PREFILL", "DECODE", "DECODE 8", "")


def register(group: Group) -> None:
    """Add the group and its commands."""
    parser = add_parser(group, "kernels", "compile models for this processor", DESCRIPTION, EXAMPLES)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    examples = "appliance kernels compile qwen3-0.6b\nappliance kernels compile qwen3-0.6b --json"
    compile_ = add_command(commands, "compile", _compile, "make a model ready", COMPILE_DESCRIPTION, examples)
    compile_.add_argument("name", metavar="NAME", help="the model's name, as 'appliance models list' shows it")
    text = "of weights that are neither Q4_0 nor Q8_0 (default: as before, else 8)"
    compile_.add_argument("--bits", type=int, choices=(4, 8), help=text)
    examples = "appliance kernels list\nappliance kernels list --json"
    add_command(commands, "list", _list, "list what is compiled", LIST_DESCRIPTION, examples)
    examples = "appliance kernels tune\nappliance kernels tune qwen3-0.6b"
    tune = add_command(commands, "tune", _tune, "find the fastest tiles", TUNE_DESCRIPTION, examples)
    tune.add_argument("name", metavar="NAME", nargs="?", help="one model (default: all that are compiled)")
    description = "Delete what is compiled for other versions or processors, and what killed processes left."
    add_command(commands, "clean", _clean, "delete what is not used", description, "appliance kernels clean")


def _compile(arguments: argparse.Namespace, context: Context) -> int:
    client = context.client()
    return follow(context, client, client.compile_model(arguments.name, arguments.bits))


def _tune(arguments: argparse.Namespace, context: Context) -> int:
    client = context.client()
    return follow(context, client, client.tune_kernels(arguments.name))


def _list(arguments: argparse.Namespace, context: Context) -> int:
    compiled = context.client().kernels()
    if context.is_json:
        print_json(compiled)
    elif compiled:
        print(table(HEADERS, map(_row, compiled), right=HEADERS[4:8]))
    else:
        print(tr("nothing is compiled; make a model ready: appliance kernels compile NAME"))
    return DONE


def _row(compiled: CompiledModel) -> tuple[str, ...]:
    possible = (
        (tr("old"), not compiled.is_current),
        (tr("{number} bits", number=compiled.bits), compiled.bits != 8),
        (tr("{number} tuned", number=compiled.num_tuned), compiled.num_tuned > 0),
        (tr("compiled at each start: no linker"), not compiled.has_step),
    )
    marks = [mark for mark, is_set in possible if is_set]
    return (
        " ".join(compiled.models),
        compiled.instruction_set,
        compiled.kernels,
        compiled.compiler,
        format_bytes(compiled.size_bytes),
        *_speeds(compiled.speed),
        ", ".join(marks),
    )


def _speeds(speed: KernelSpeed | None) -> tuple[str, str, str]:
    """Return the three figures in tokens/s, dashes where nothing was measured."""
    if speed is None:
        return "-", "-", "-"
    figures = (speed.prefill_tokens_per_s, speed.decode_tokens_per_s, speed.decode_8_tokens_per_s)
    prefill, one, eight = (f"{figure:.0f}/s" if figure >= 100 else f"{figure:.1f}/s" for figure in figures)
    return prefill, one, eight


def _clean(arguments: argparse.Namespace, context: Context) -> int:
    cleaned = context.client().clean_kernels()
    if context.is_json:
        print_json(cleaned)
    elif cleaned.num_removed:
        print(tr("{size} freed", size=format_bytes(cleaned.freed_bytes)))
    else:
        print(tr("there is nothing that is not used"))
    return DONE
