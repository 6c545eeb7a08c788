"""What all parsers have in common: help that teaches, errors in one sentence, `--json` and `--debug`."""

import argparse
import sys
import textwrap
from collections.abc import Callable
from typing import Any, NoReturn

from .context import Context
from .exits import HELP, WRONG_USAGE

Run = Callable[[argparse.Namespace, Context], int]
Group = Any
"""What `add_subparsers` returns: argparse has no public name for it."""


class Parser(argparse.ArgumentParser):
    """An argument parser that explains a mistake in one line and leaves the long text to `--help`."""

    def error(self, message: str) -> NoReturn:
        """Print the mistake and exit with the code for wrong usage."""
        print(f"appliance: {message}; see '{self.prog} --help'", file=sys.stderr)
        raise SystemExit(WRONG_USAGE)


def add_command(group: Group, name: str, run: Run, summary: str, description: str, examples: str) -> Parser:
    """Add a command that calls `run`; `examples` are indented lines for the end of its help."""
    parser = add_parser(group, name, summary, description, examples)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", dest="is_json", help="print JSON, for programs")
    parser.add_argument("--debug", action="store_true", dest="is_debug", help="on an error show where it happened")
    return parser


def add_parser(group: Group, name: str, summary: str, description: str, examples: str) -> Parser:
    """Add a parser that is a command or holds commands."""
    parser: Parser = group.add_parser(name, help=summary, **texts(description, examples))
    return parser


def texts(description: str, examples: str) -> dict[str, Any]:
    """Return the keyword arguments that give a parser its description, examples and exit codes."""
    paragraphs = (textwrap.fill(text, 78) for text in textwrap.dedent(description).strip().split("\n\n"))
    lines = textwrap.indent(textwrap.dedent(examples).strip(), "  ")
    return {
        "description": "\n\n".join(paragraphs),
        "epilog": f"examples:\n{lines}\n\n{HELP}",
        "formatter_class": argparse.RawDescriptionHelpFormatter,
        "allow_abbrev": False,
    }


def add_verb(group: Group, noun: str, id_: str, name: str, run: Run, summary: str, description: str) -> None:
    """Add a command on one thing by its id; `id_` is what such an id looks like, `noun` what the group has many of."""
    example = f"appliance {noun}s {name} {id_}"
    parser = add_command(group, name, run, summary, description, f"{example}\n{example} --json")
    parser.add_argument("id", metavar="ID", help=f"the {noun}'s id, as 'appliance {noun}s list' shows it")
