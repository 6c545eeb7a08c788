"""The clients that are known, one file each."""

from appliance.cli.clients.client import Client

from . import (
    aider,
    claude_code,
    cline,
    codex,
    continue_,
    langchain,
    litellm,
    llm_tool,
    open_webui,
    opencode,
    vscode,
    zed,
)

CLIENTS: tuple[Client, ...] = (
    open_webui.CLIENT,
    continue_.CLIENT,
    codex.CLIENT,
    claude_code.CLIENT,
    aider.CLIENT,
    cline.CLIENT,
    zed.CLIENT,
    vscode.CLIENT,
    langchain.CLIENT,
    litellm.CLIENT,
    llm_tool.CLIENT,
    opencode.CLIENT,
)
