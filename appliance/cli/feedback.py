"""`appliance feedback`: what callers think of the answers."""

import argparse

from .arguments import Group, add_command, add_parser
from .context import Context
from .exits import DONE
from .output import print_json

DESCRIPTION = """
Read what callers think of the answers. They say it with POST /v1/feedback: the id of an answer, a score and a comment.
"""
EXPORT_DESCRIPTION = """
Print everybody's feedback for evaluation, a JSON object on each line, the oldest first. Scores are from -1 to 1.
"""


def register(group: Group) -> None:
    """Add the group and its command."""
    examples = "appliance feedback export > feedback.jsonl"
    parser = add_parser(group, "feedback", "what callers think of the answers", DESCRIPTION, examples)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_command(commands, "export", _export, "print everybody's feedback", EXPORT_DESCRIPTION, examples)


def _export(arguments: argparse.Namespace, context: Context) -> int:
    for feedback in context.client().feedback():
        print_json(feedback)
    return DONE
