"""opencode: one more provider in its opencode.json.

Source: opencode.ai/docs/providers, "Custom provider", and /docs/config (opencode.jsonc goes before opencode.json).
"""

from pathlib import Path
from typing import Any

from appliance.cli.clients.client import Box, Client, Places
from appliance.cli.clients.entry import Entry
from appliance.cli.clients.jsonc import JsonMembers
from appliance.words import tr

_MAX_OUTPUT_RATIO = 0.25


def _file(places: Places) -> Path:
    folder = places.settings("opencode")
    with_comments = folder / "opencode.jsonc"
    return with_comments if with_comments.exists() else folder / "opencode.json"


def _entry(box: Box) -> Entry:
    model: dict[str, Any] = {"name": box.model, "tool_call": True}
    if box.context_tokens is not None:
        output_tokens = int(box.context_tokens * _MAX_OUTPUT_RATIO)
        model["limit"] = {"context": box.context_tokens, "output": output_tokens}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "LLM appliance",
        "options": {"baseURL": box.openai_url, "apiKey": box.secret},
        "models": {box.model: model},
    }
    return JsonMembers(((("provider", "appliance"), provider),))


def _steps(box: Box) -> str:
    return tr("Choose it with /models, or start: {command}", command=f"opencode -m appliance/{box.model}")


CLIENT = Client(
    name="opencode",
    title="opencode",
    commands=("opencode",),
    folders=lambda places: (places.settings("opencode"),),
    file=_file,
    entry=_entry,
    steps=_steps,
)
