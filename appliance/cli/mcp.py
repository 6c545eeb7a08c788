"""`appliance mcp`: the administration of the box for MCP clients, over standard input and output."""

import argparse
import functools
import sys
from collections.abc import Callable
from typing import Any

import appliance
from appliance.client import ClientError, NoDaemon
from appliance.core.caller import SCOPES
from appliance.words import tr

from .arguments import Group, add_command
from .context import Context
from .exits import DONE, CommandError
from .mcp_tools import TOOLS, Tool, Tools, scope_of

DESCRIPTION = """
Serve the administration of this box to a program that speaks the Model Context Protocol: models, jobs, the state of the
machine. The program starts this command and talks to it over standard input and output; nothing listens anywhere.

Its tools are those that the key may use: one of scope 'use' sees models and status, 'operate' also loads, unloads,
pulls and cancels, 'admin' also examines the machine. Without APPLIANCE_API_KEY it has the rights of this machine's
own commands.
"""
EXAMPLES = """
appliance mcp
APPLIANCE_URL=http://box.local:8484 APPLIANCE_API_KEY=sk-... appliance mcp
"""
REQUIREMENT = "mcp>=2.3,<3"
MISSING = """\
the MCP SDK is not installed, since nothing else here needs the web framework that it brings; install it with: \
sh installer/install.sh --with mcp, which later runs keep, or: python3 -m pip --python {python} install '{requirement}'\
"""
INSTRUCTIONS = """\
This is a machine that runs language models for its owner. Ask for status first. Loading a model can take another one \
out of memory, and pulling one downloads gigabytes: say what you are about to do, and do it only when it was asked for.\
"""


def register(group: Group) -> None:
    """Add the command."""
    add_command(group, "mcp", _run, "serve the administration to MCP clients", DESCRIPTION, EXAMPLES)


def _run(_: argparse.Namespace, context: Context) -> int:
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.types import ToolAnnotations
    except ImportError as error:
        raise CommandError(tr(MISSING, python=sys.executable, requirement=REQUIREMENT)) from error
    client = context.client()
    # Refused here in a sentence: a client would show a wrong key as a tool that fails each time
    allowed = SCOPES.index(scope_of(client))
    server = MCPServer("llm-appliance", version=appliance.__version__, instructions=INSTRUCTIONS, log_level="WARNING")
    tools = Tools(client)
    for tool in TOOLS:
        if SCOPES.index(tool.scope) <= allowed:
            hints = ToolAnnotations(read_only_hint=not tool.changes, destructive_hint=tool.destroys)
            server.add_tool(_told(tool, tools), name=tool.name, annotations=hints)
    server.run("stdio")
    return DONE


def _told(tool: Tool, tools: Tools) -> Callable[..., Any]:
    """Return the tool as the SDK wants it: what goes wrong is a sentence for the model, not a crash."""
    from mcp.server.mcpserver.exceptions import ToolError

    bound = getattr(tools, tool.name)

    @functools.wraps(bound)
    def call(**arguments: Any) -> Any:
        try:
            return bound(**arguments)
        except NoDaemon as error:
            raise ToolError(f"{error.message}; start one with 'appliance serve'") from error
        except ClientError as error:
            raise ToolError(error.message) from error

    return call
