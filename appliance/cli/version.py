"""`appliance version`."""

import argparse
import platform

from appliance import __version__

from .arguments import Group, add_command
from .context import Context
from .exits import DONE
from .output import print_json


def register(group: Group) -> None:
    """Add the command."""
    add_command(
        group,
        "version",
        _run,
        "show the version",
        "Show the version of this command. The daemon's, and those of its libraries, are in 'appliance ps --json'.",
        """
        appliance version
        appliance version --json
        """,
    )


def text() -> str:
    """Return the version as one line."""
    return f"appliance {__version__}"


def _run(arguments: argparse.Namespace, context: Context) -> int:
    if context.is_json:
        print_json({"appliance": __version__, "python": platform.python_version()})
    else:
        print(text())
    return DONE
