"""`appliance connect`: other programs are told to use this box, and told to stop. See connecting.py."""

import argparse
from pathlib import Path

from .arguments import Group, add_command
from .context import Context

DESCRIPTION = """
Write the configuration with which another program uses this box: what is there already stays, every line that changes
is shown, and what the file held before is kept. --undo puts it back, byte for byte. Where a program can only be
configured by hand, it says what to do.

Where the box has keys, one is made for the program. Without a name, the programs that are known are listed.
"""
EXAMPLES = """
appliance connect
appliance connect codex
appliance connect claude-code --model qwen3 --print
appliance connect litellm --file config.yaml
appliance connect codex --undo
"""


def register(group: Group) -> None:
    """Add the command."""
    parser = add_command(group, "connect", _run, "let another program use this box", DESCRIPTION, EXAMPLES)
    parser.add_argument("client", metavar="CLIENT", nargs="?", help="the program, such as 'codex'")
    parser.add_argument("--model", metavar="NAME", help="the model that it is to use; default: the default model")
    parser.add_argument("--key", metavar="KEY", help="the key that it is to send, instead of one made for it")
    parser.add_argument("--file", metavar="FILE", type=Path, help="its file, where that is not the usual one")
    parser.add_argument("--print", action="store_true", dest="only_prints", help="show what would be written")
    parser.add_argument("--undo", action="store_true", help="put back what the file held before")
    parser.add_argument("--force", action="store_true", help="with --undo: also where the file was changed since")


def _run(arguments: argparse.Namespace, context: Context) -> int:
    # Imported here: no other command needs the clients, nor YAML
    from .connecting import connect

    return connect(arguments, context)
