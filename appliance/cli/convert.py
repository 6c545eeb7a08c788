"""`appliance models convert`, `quantize` and `compare`: new models out of others, as jobs of the daemon."""

import argparse
from pathlib import Path
from typing import get_args

from appliance.core.jobs import JsonObject
from appliance.words import tr
from models.manifest import ModelFormat

from .arguments import Group, Parser, add_command
from .context import Context
from .follow import follow

CONVERT_DESCRIPTION = """
Make a model of a folder with float weights, as Hugging Face keeps them: config.json, tokenizer.json, safetensors.

To GGUF (Llama, Mistral, Qwen2, Qwen3) it takes seconds and little memory; a file that would read texts in other tokens
than the folder's own tokenizer is refused. To ONNX it is done in an environment of its own with PyTorch, which is made
the first time and is large. What is quantized is compared with the original and only kept when it lost little.
"""
CONVERT_EXAMPLES = """
appliance models convert ~/Downloads/Qwen3-0.6B --to gguf
appliance models convert ~/Downloads/Qwen3-0.6B --precision Q8_0
appliance models convert ~/models/MiniLM --precision int8 --name minilm
"""
QUANTIZE_DESCRIPTION = """
Make smaller models of one with float weights. A GGUF file becomes the types that are named (Q8_0, Q6_K, Q4_K_M and so
on, or all), an ONNX model one of int4 or int8.

The daemon does it as a job. Each result is compared with the original, on texts that it was not made from, and only
kept when it lost little; 'appliance models show' tells the figures. Of GGUF types the speed is measured as well, and
one is recommended.
"""
QUANTIZE_EXAMPLES = """
appliance models quantize my-model-f16 --to Q4_K_M
appliance models quantize my-model-f16 --to Q8_0,Q6_K,Q5_K_M,Q4_K_M
appliance models quantize my-model-fp32 --to int4 --mixed measured
appliance models quantize minilm --to int8 --method static --calibration t.txt
"""
COMPARE_DESCRIPTION = """
Measure what the GGUF types make of a model on this machine: size, loss against the original, and speed. None of them is
kept; 'appliance models quantize' makes the one that is recommended.
"""
COMPARE_EXAMPLES = """
appliance models compare my-model-f16
appliance models compare my-model-f16 --to Q8_0,Q4_K_M,Q4_0 --json
"""


def register(commands: Group) -> None:
    """Add the commands to those of `appliance models`."""
    convert = add_command(
        commands, "convert", _convert, "make a model of float weights", CONVERT_DESCRIPTION, CONVERT_EXAMPLES
    )
    help_ = "the folder with config.json and the weights, or the name of such a model here"
    convert.add_argument("folder", metavar="FOLDER", help=help_)
    formats = tuple(each for each in get_args(ModelFormat) if each != "safetensors")  # what it is converted from
    convert.add_argument("--to", choices=formats, metavar="|".join(formats), help="default: as the precision says")
    help_ = "int4, int8 or fp32 (ONNX, default: int4); F32, F16, BF16, Q8_0, Q4_K_M … (GGUF, default: as the folder's)"
    convert.add_argument("--precision", metavar="TYPE", help=help_)
    _add_quantization(convert)
    quantize = add_command(
        commands, "quantize", _quantize, "make a smaller model", QUANTIZE_DESCRIPTION, QUANTIZE_EXAMPLES
    )
    quantize.add_argument("model", metavar="MODEL", help="a model's name, or a file or folder with a '/' in its path")
    help_ = "int4 or int8; types of GGUF with commas between, or all (default: int4 or Q4_K_M, by the model)"
    quantize.add_argument("--to", type=_types, default=(), metavar="TYPES", help=help_)
    methods = ("weights", "dynamic", "static")
    quantize.add_argument("--method", choices=methods, help="of ONNX models (default: weights)")
    help_ = "keep some layers at 8 bits: the outer ones, or those that are measured to lose most"
    quantize.add_argument("--mixed", choices=("outer", "measured"), help=help_)
    _add_texts(quantize)
    quantize.add_argument("--calibration", type=Path, metavar="FILE", help="texts, one a line, for the method static")
    _add_quantization(quantize)
    compare = add_command(
        commands, "compare", _compare, "measure a model's quantizations", COMPARE_DESCRIPTION, COMPARE_EXAMPLES
    )
    compare.add_argument("model", metavar="MODEL", help="a GGUF model's name, or its file with a '/' in its path")
    help_ = "types of GGUF with commas between (default: all that need no more than the weights)"
    compare.add_argument("--to", type=_types, default=("all",), metavar="TYPES", help=help_)
    _add_texts(compare)
    compare.add_argument("--force", action="store_true", help="also of a quantized model, or with too little room")


def _add_texts(parser: Parser) -> None:
    help_ = "judge GGUF types by these texts instead of ours, a line '---' between two: what the model is for"
    parser.add_argument("--texts", type=Path, metavar="FILE", help=help_)


def _add_quantization(parser: Parser) -> None:
    parser.add_argument("--name", metavar="NAME", help="the new model's name (default: the old one's and the type)")
    sizes = (16, 32, 64, 128, 256)
    help_ = tr("ONNX: weights to a scale: {sizes} (default: 32)", sizes=", ".join(map(str, sizes)))
    parser.add_argument("--block-size", type=int, choices=sizes, metavar="N", help=help_)
    symmetry = parser.add_mutually_exclusive_group()
    help_ = "ONNX: blocks around zero: smaller, a little worse"
    symmetry.add_argument("--symmetric", action="store_true", default=None, help=help_)
    help_ = "ONNX: blocks of any range (default)"
    symmetry.add_argument("--asymmetric", action="store_false", dest="symmetric", default=None, help=help_)
    parser.add_argument("--accept-loss", action="store_true", help="keep the result whatever it lost")
    help_ = "start although memory or disk looks too small, a GGUF file is quantized already or its tokens differ"
    parser.add_argument("--force", action="store_true", help=help_)


def _convert(arguments: argparse.Namespace, context: Context) -> int:
    model = _model(arguments.folder, is_folder=Path(arguments.folder).is_dir())
    own = {"model": model, "to": arguments.to, "precision": arguments.precision}
    return _submit("convert", _quantization(arguments) | own, context)


def _quantize(arguments: argparse.Namespace, context: Context) -> int:
    order = _quantization(arguments) | {
        "model": _model(arguments.model),
        "to": arguments.to,
        "method": arguments.method,
        "mixed": arguments.mixed,
        "calibration": _file(arguments.calibration),
        "texts": _file(arguments.texts),
    }
    return _submit("quantize", order, context)


def _compare(arguments: argparse.Namespace, context: Context) -> int:
    order: JsonObject = {
        "model": _model(arguments.model),
        "to": arguments.to,
        "texts": _file(arguments.texts),
        "force": arguments.force,
    }
    return _submit("evaluate", order, context)


def _quantization(arguments: argparse.Namespace) -> JsonObject:
    return {
        "name": arguments.name,
        "block_size": arguments.block_size,
        "is_symmetric": arguments.symmetric,
        "accept_loss": arguments.accept_loss,
        "force": arguments.force,
    }


def _types(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _model(model: str, *, is_folder: bool = False) -> str:
    """Return a name as it is, and a path as a whole one. Names may hold a '/', too, but neither begin nor end so."""
    looks_like_one = model.startswith(("/", "./", "../", "~")) or model.endswith("/")
    is_path = is_folder or looks_like_one or ("/" in model and Path(model).exists())
    return _absolute(Path(model)) if is_path else model


def _file(path: Path | None) -> str | None:
    return None if path is None else _absolute(path)


def _absolute(path: Path) -> str:
    return str(path.expanduser().absolute())


def _submit(kind: str, order: JsonObject, context: Context) -> int:
    client = context.client()
    return follow(context, client, client.submit_job(kind, order))
