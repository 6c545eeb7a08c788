"""`appliance tui`: the terminal, full screen."""

import argparse
from pathlib import Path

from appliance.client import Client

from .arguments import Group, add_command
from .context import Context
from .exits import DONE

DESCRIPTION = """
Administer a box in the terminal, full screen: its models, requests, jobs, caches, logs, keys and settings, and a
chat to try models with. It speaks HTTP only, so it works with any box that your key opens.
"""
EXAMPLES = """
appliance tui
APPLIANCE_API_KEY=... appliance tui --url http://box.local:8484
"""


def register(group: Group) -> None:
    """Add the command."""
    parser = add_command(group, "tui", _run, "administer a box, full screen", DESCRIPTION, EXAMPLES)
    parser.add_argument("--url", help="the box's address (default: $APPLIANCE_URL, else the daemon of this machine)")
    parser.add_argument("--theme", help="the colours, such as appliance-light or nord (also chosen with Ctrl+P)")


def _run(arguments: argparse.Namespace, context: Context) -> int:
    from tui.app import Terminal  # a third of a second, which no other command pays

    def connect(key: str | None) -> Client:
        return context.client(url=arguments.url, key=key)

    Terminal(connect, _folder(context), theme=arguments.theme).run()
    return DONE


def _folder(context: Context) -> Path:
    """Return the folder of this person, who need not be allowed to write into the state of a box.

    Source: XDG Base Directory Specification 0.8.
    """
    data = context.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "appliance-terminal"
