"""`appliance serve`: read the settings and hand over to the daemon."""

import argparse
from pathlib import Path

from .arguments import Group, add_command
from .context import Context

DESCRIPTION = """
Start the daemon and stay in the foreground until it is stopped (Ctrl-C or SIGTERM; answers under way are finished).

It listens on 127.0.0.1:8484 and answers OpenAI's, Anthropic's and Ollama's API. Clients of Ollama look for it at port
11434: --ollama-port 11434 answers there, too. To listen beyond this machine a key must exist:
make one with 'appliance keys create NAME'.
"""
EXAMPLES = """
appliance serve
appliance serve --model guide       load a model at the start and keep it
appliance serve --host 0.0.0.0      answer other machines, too (needs a key)
appliance serve --ollama-port 11434 answer clients of Ollama where they look
appliance serve --config test.toml --port 9000
"""


def register(group: Group) -> None:
    """Add the command."""
    parser = add_command(group, "serve", _run, "start the daemon", DESCRIPTION, EXAMPLES)
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for any that is free (default: 8484)")
    parser.add_argument(
        "--ollama-port", type=int, metavar="PORT", help="listen on this port, too; clients of Ollama look at 11434"
    )
    parser.add_argument(
        "--model",
        nargs="+",
        action="extend",
        metavar="NAME",
        dest="models",
        help="load these at the start and keep them; the first is the default model of this run",
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings file instead of the one in the state folder"
    )


def _run(arguments: argparse.Namespace, context: Context) -> int:
    flags: dict[str, object] = {
        "server.host": arguments.host,
        "server.port": arguments.port,
        "server.ollama_port": arguments.ollama_port,
    }
    if arguments.models:
        flags |= {"models.default_model": arguments.models[0], "models.pinned": tuple(arguments.models)}
    # Imported here, as below: no other command needs them, and the daemon's libraries take long.
    from appliance.settings import load

    given = {key: value for key, value in flags.items() if value is not None}
    loaded = load(arguments.config or context.settings_path(), context.environ, given)
    from appliance.app import serve

    return serve(loaded, context.home, context.environ)
