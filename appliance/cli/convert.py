"""`appliance models convert` and `appliance models quantize`: new models out of others, as jobs of the daemon."""

import argparse
from pathlib import Path

from appliance.core.jobs import JsonObject

from .arguments import Group, Parser, add_command
from .context import Context
from .follow import follow

CONVERT_DESCRIPTION = """
Make a model of a folder with float weights, as Hugging Face keeps them: config.json, tokenizer.json, safetensors.

The daemon does it as a job, in an environment of its own with PyTorch, which is made the first time and is large. What
is quantized is compared with the original and only kept when it lost little.
"""
CONVERT_EXAMPLES = """
appliance models convert ~/Downloads/Qwen3-0.6B
appliance models convert ~/models/MiniLM --precision int8 --name minilm
"""
QUANTIZE_DESCRIPTION = """
Make a smaller model of one with float weights: weights in blocks (int4 or int8), or int8 with integer activations.

The daemon does it as a job. The result is compared with the original, on texts that it was not made from, and only kept
when it lost little; 'appliance models show' tells the figures.
"""
QUANTIZE_EXAMPLES = """
appliance models quantize my-model-fp32 --to int4
appliance models quantize my-model-fp32 --to int4 --mixed measured
appliance models quantize minilm --to int8 --method static --calibration t.txt
"""


def register(commands: Group) -> None:
    """Add both commands to those of `appliance models`."""
    convert = add_command(
        commands, "convert", _convert, "make a model of float weights", CONVERT_DESCRIPTION, CONVERT_EXAMPLES
    )
    convert.add_argument("folder", type=Path, metavar="FOLDER", help="the folder with config.json and the weights")
    convert.add_argument("--precision", choices=("int4", "int8", "fp32"), default="int4", help="default: int4")
    _add_quantization(convert)
    quantize = add_command(
        commands, "quantize", _quantize, "make a smaller model", QUANTIZE_DESCRIPTION, QUANTIZE_EXAMPLES
    )
    quantize.add_argument("model", metavar="MODEL", help="a model's name, or a folder with a '/' in its path")
    quantize.add_argument("--to", choices=("int4", "int8"), default="int4", dest="precision", help="default: int4")
    methods = ("weights", "dynamic", "static")
    quantize.add_argument("--method", choices=methods, default="weights", help="default: weights")
    help_ = "keep some layers at 8 bits: the outer ones, or those that are measured to lose most"
    quantize.add_argument("--mixed", choices=("outer", "measured"), help=help_)
    quantize.add_argument("--calibration", type=Path, metavar="FILE", help="texts, one a line, for the method static")
    _add_quantization(quantize)


def _add_quantization(parser: Parser) -> None:
    parser.add_argument("--name", metavar="NAME", help="the new model's name (default: the old one's and the type)")
    sizes = (16, 32, 64, 128, 256)
    help_ = f"weights to a scale: {', '.join(map(str, sizes))} (default: 32)"
    parser.add_argument("--block-size", type=int, choices=sizes, default=32, metavar="N", help=help_)
    symmetry = parser.add_mutually_exclusive_group()
    symmetry.add_argument("--symmetric", action="store_true", help="blocks around zero: smaller, a little worse")
    symmetry.add_argument("--asymmetric", action="store_false", dest="symmetric", help="blocks of any range (default)")
    parser.add_argument("--accept-loss", action="store_true", help="keep the result whatever it lost")
    parser.add_argument("--force", action="store_true", help="start although memory or disk looks too small")


def _convert(arguments: argparse.Namespace, context: Context) -> int:
    order = _quantization(arguments) | {"model": _absolute(arguments.folder)}
    return _submit("convert", order, context)


def _quantize(arguments: argparse.Namespace, context: Context) -> int:
    order = _quantization(arguments) | {
        "model": _absolute(Path(arguments.model)) if _is_path(arguments.model) else arguments.model,
        "method": arguments.method,
        "mixed": arguments.mixed,
        "calibration": None if arguments.calibration is None else _absolute(arguments.calibration),
    }
    return _submit("quantize", order, context)


def _quantization(arguments: argparse.Namespace) -> JsonObject:
    return {
        "name": arguments.name,
        "precision": arguments.precision,
        "block_size": arguments.block_size,
        "is_symmetric": arguments.symmetric,
        "accept_loss": arguments.accept_loss,
        "force": arguments.force,
    }


def _is_path(model: str) -> bool:
    """Return whether a file or folder is meant. Names of models may hold a '/', too, but neither begin nor end so."""
    looks_like_one = model.startswith(("/", "./", "../", "~")) or model.endswith("/")
    return looks_like_one or ("/" in model and Path(model).exists())


def _absolute(path: Path) -> str:
    return str(path.expanduser().absolute())


def _submit(kind: str, order: JsonObject, context: Context) -> int:
    client = context.client()
    return follow(context, client, client.submit_job(kind, order))
