"""`appliance logs`: the newest lines of the daemon's log, and those that come."""

import argparse
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

import msgspec

from appliance.client import Client
from appliance.core.feed import LOG_LEVELS, LogLevel, LogLine
from appliance.words import tr

from .arguments import Group, add_command
from .context import Context
from .exits import DONE
from .output import print_json, printable

DESCRIPTION = """
Show the newest lines of the daemon's log. It remembers the last 2000 since its start; older ones are where its service
writes them (journalctl -u appliance).
"""
EXAMPLES = """
appliance logs
appliance logs --follow
appliance logs --level warning --last 20
"""
DEFAULT_LINES = 50


def register(group: Group) -> None:
    """Add the command."""
    parser = add_command(group, "logs", _run, "show the daemon's log", DESCRIPTION, EXAMPLES)
    parser.add_argument("-f", "--follow", action="store_true", help="go on with the lines that come; Ctrl-C ends it")
    help_ = tr("how many lines (default: {number})", number=DEFAULT_LINES)
    parser.add_argument("-n", "--last", type=int, default=DEFAULT_LINES, metavar="N", help=help_)
    parser.add_argument("--level", choices=LOG_LEVELS, default="info", help="lines from this level up (default: info)")


def _run(arguments: argparse.Namespace, context: Context) -> int:
    client = context.client()
    lines = client.log_lines(last=arguments.last, level=arguments.level)
    for line in lines:
        _show(line, context)
    if arguments.follow:
        for line in _coming(client, lines[-1].seq if lines else 0, arguments.level):
            _show(line, context)
    return DONE


def _coming(client: Client, after: int, level: LogLevel) -> Iterator[LogLine]:
    """Yield lines that are newer than those that were shown; a few of the past fill the gap between two requests."""
    levels = LOG_LEVELS[LOG_LEVELS.index(level) :]
    with closing(client.events(last=DEFAULT_LINES if after else 0, types=("log",))) as events:
        for event in events:
            if event.type != "log":
                continue
            line = msgspec.convert(event.data, LogLine)
            if line.seq > after and line.level in levels:
                yield line


def _show(line: LogLine, context: Context) -> None:
    if context.is_json:
        print_json(line)
        return
    moment = f"{datetime.fromtimestamp(line.time_s).astimezone():%Y-%m-%d %H:%M:%S}"
    print(f"{moment} {line.level.upper():<8} {printable(line.message)}", flush=True)
