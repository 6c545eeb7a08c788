"""The command `appliance`: find the command's function, call it, and end with the right exit code."""

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from io import TextIOWrapper

from appliance.words import language_of, use_language

from . import (
    bench,
    cache,
    chat,
    config,
    connect,
    conversation,
    doctor,
    explain,
    feedback,
    hardware,
    jobs,
    kernels,
    keys,
    logs,
    mcp,
    models,
    ps,
    pull,
    serve,
    tasks,
    tui,
    version,
)
from .arguments import Parser, texts
from .context import Context, find_home
from .exits import DONE, FAILED, INTERRUPTED
from .exits import explain as explain_error

DESCRIPTION = """
Turn this machine into a private AI server: a daemon with an OpenAI-compatible API, and the commands to use it.

Each command explains itself: 'appliance COMMAND --help'.
"""
EXAMPLES = """
appliance serve                  start the daemon
appliance run                    chat with the default model
appliance chat "What is TCP?"    ask one question
appliance pull qwen3-0.6b        fetch a model
appliance models add FILE.gguf   make a file that is here a model
"""


def entry() -> None:
    """Run the command line of this process and exit."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        # A pipe may bring bytes that are no text, and a terminal may not know a character; neither is a reason to stop.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    code = main(sys.argv[1:], os.environ)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
    sys.exit(code)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command and return its exit code."""
    use_language(language_of(environ))
    try:
        arguments = _parser().parse_args(argv or ["--help"])
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else FAILED
    try:
        if arguments.is_json:
            use_language("en")  # programs read it
        context = Context(home=find_home(environ), environ=environ, is_json=arguments.is_json)
        return int(arguments.run(arguments, context))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough of it.
        _discard_output()
        return DONE
    except Exception as error:
        if arguments.is_debug:
            import traceback

            traceback.print_exc()
        message, code = explain_error(error)
        print(f"appliance: {message}", file=sys.stderr)
        return code


def _parser() -> Parser:
    parser = Parser(prog="appliance", **texts(DESCRIPTION, EXAMPLES))
    parser.add_argument("--version", action="version", version=version.text(), help="print the version and exit")
    group = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (
        serve,
        tui,
        conversation,
        chat,
        ps,
        pull,
        models,
        explain,
        jobs,
        tasks,
        kernels,
        bench,
        cache,
        feedback,
        keys,
        connect,
        config,
        hardware,
        doctor,
        logs,
        mcp,
        version,
    ):
        module.register(group)
    return parser


def _discard_output() -> None:
    """Point standard output at nothing: Python would complain about the closed pipe once more at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
