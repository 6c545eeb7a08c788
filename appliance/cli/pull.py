"""`appliance pull`: models from a hub, a registry, an address, a stick or the catalogue."""

import argparse
from pathlib import Path

from appliance.core.pulls import PullModel
from appliance.core.units import parse_bytes
from appliance.words import tr

from .arguments import Group, Parser, add_command
from .context import Context
from .exits import DONE, WRONG_USAGE, CommandError
from .follow import follow
from .output import print_json

DESCRIPTION = """
Fetch a model and make it one of this machine. The daemon does it as a job: it goes on when this command ends, and after
a restart where it stopped. What comes is checked against the digests that its source states, and nothing that is
incomplete or wrong is ever used. Two pulls of one model share the work.

REF is hf:OWNER/REPO[:QUANT|:FILE][@REVISION], ms:OWNER/REPO (ModelScope), ollama:NAME[:TAG], https://…/FILE.gguf with
#sha256=… if you know it, a path, or a name that 'appliance models search' shows.
"""
EXAMPLES = """
appliance {command} qwen3-0.6b
appliance {command} hf:OWNER/REPO:Q4_K_M --name mine
appliance {command} https://example.org/model.gguf --limit 10MB/s
appliance {command} /media/stick/model.gguf --detach
"""
DETACHED = """\
{id} is {state}
  follow it: appliance jobs follow {id}
  cancel it: appliance jobs cancel {id}\
"""


def register(group: Group, command: str = "pull") -> None:
    """Add the command to a group; in that of `appliance models`, where it is the same, `command` is `models pull`."""
    examples = EXAMPLES.format(command=command)
    _add_arguments(add_command(group, "pull", _pull, "fetch a model", DESCRIPTION, examples))


def _add_arguments(parser: Parser) -> None:
    parser.add_argument("model", metavar="REF", help="where the model is, or its name in the catalogue")
    parser.add_argument("--name", metavar="NAME", help="[publisher/]name[:tag] (default: as it is called there)")
    help_ = "which of several there are, such as Q4_K_M (default: the best known one that fits this machine)"
    parser.add_argument("--quantization", metavar="QUANT", help=help_)
    help_ = "fetch so many bytes a second at most, such as 10MB/s"
    parser.add_argument("--limit", type=_speed, metavar="SPEED", help=help_)
    parser.add_argument("--detach", action="store_true", help="do not wait for the end")


def _speed(text: str) -> int:
    try:
        return parse_bytes(text.strip().removesuffix("/s"))
    except ValueError:
        raise argparse.ArgumentTypeError(tr("{speed!r} is no speed; write it as 10MB/s", speed=text)) from None


def _pull(arguments: argparse.Namespace, context: Context) -> int:
    try:
        order = PullModel(
            model=_whole(arguments.model),
            name=arguments.name,
            quantization=arguments.quantization,
            max_bytes_per_s=arguments.limit,
        )
    except ValueError as error:
        raise CommandError(str(error), WRONG_USAGE) from None
    client = context.client()
    job = client.pull_model(order)
    if not arguments.detach:
        return follow(context, client, job)
    if context.is_json:
        print_json(job)
    else:
        print(tr(DETACHED, id=job.id, state=tr(job.state)))
    return DONE


def _whole(reference: str) -> str:
    """Return the reference; of a path that begins in this folder or at home the whole one, which the daemon needs."""
    # Imported here: no other command needs to know what references look like
    from models.sources.base import SourceError
    from models.sources.reference import FileReference, parse_reference

    try:
        parsed = parse_reference(reference)
    except SourceError as error:
        raise CommandError(str(error), WRONG_USAGE) from None
    return str(Path(parsed.path).expanduser().absolute()) if isinstance(parsed, FileReference) else reference
