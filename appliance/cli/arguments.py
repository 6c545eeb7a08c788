"""What all parsers have in common: help that teaches, errors in one sentence, `--json` and `--debug`."""

import argparse
import sys
import textwrap
from collections.abc import Callable
from typing import Any, NoReturn

from appliance.words import tr
from appliance.words.width import fill

from .context import Context
from .exits import HELP, WRONG_USAGE

Run = Callable[[argparse.Namespace, Context], int]
Group = Any
"""What `add_subparsers` returns: argparse has no public name for it."""

argparse._ = tr  # type: ignore[attr-defined]  # the name under which argparse looks for its own sentences in a language


class _Help(argparse.RawDescriptionHelpFormatter):
    """Writes help in the language of the person."""

    def start_section(self, heading: str | None) -> None:
        """Begin a section."""
        super().start_section(heading and tr(heading))

    def _split_lines(self, text: str, width: int) -> list[str]:
        return fill(text, width).splitlines()


class Parser(argparse.ArgumentParser):
    """An argument parser that explains a mistake in one line and leaves the long text to `--help`."""

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        """Add an argument, explained in the language of the person."""
        if options.get("help"):
            options["help"] = tr(options["help"])
        return super().add_argument(*names, **options)

    def error(self, message: str) -> NoReturn:
        """Print the mistake and exit with the code for wrong usage."""
        said = tr("{problem}; see '{command} --help'", problem=message, command=self.prog)
        print(f"appliance: {said}", file=sys.stderr)
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
    parser: Parser = group.add_parser(name, help=tr(summary), **texts(description, examples))
    return parser


def texts(description: str, examples: str) -> dict[str, Any]:
    """Return the keyword arguments that give a parser its description, examples and exit codes."""
    paragraphs = (fill(tr(" ".join(text.split())), 78) for text in description.strip().split("\n\n"))
    lines = textwrap.indent(textwrap.dedent(examples).strip(), "  ")
    return {
        "description": "\n\n".join(paragraphs),
        "epilog": f"{tr('examples')}:\n{lines}\n\n{tr(HELP)}",
        "formatter_class": _Help,
        "allow_abbrev": False,
    }


def add_verb(group: Group, noun: str, id_: str, name: str, run: Run, summary: str, description: str) -> None:
    """Add a command on one thing by its id; `id_` is what such an id looks like, `noun` what the group has many of."""
    example = f"appliance {noun}s {name} {id_}"
    parser = add_command(group, name, run, summary, description, f"{example}\n{example} --json")
    help_ = tr("the {noun}'s id, as '{command}' shows it", noun=tr(noun), command=f"appliance {noun}s list")
    parser.add_argument("id", metavar="ID", help=help_)
