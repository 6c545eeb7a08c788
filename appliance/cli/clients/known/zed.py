"""Zed: one more provider in its settings; its key is in the keychain or the environment, never in the file.

Source: zed-industries/zed docs/src/ai/llm-providers.md, "OpenAI API Compatible".
"""

from typing import Any

from appliance.cli.clients.client import Box, Client
from appliance.cli.clients.entry import Entry
from appliance.cli.clients.jsonc import JsonMembers
from appliance.words import tr

_LIKELY_CONTEXT_TOKENS = 8192
"""Zed asks for a number; a small one only makes it cut a conversation early."""
_STEPS = """\
Zed keeps keys elsewhere: 'agent: open settings' > Appliance, enter {key}
(or APPLIANCE_API_KEY={key} in its environment). Then choose {model} in the agent panel."""


def _entry(box: Box) -> Entry:
    model: dict[str, Any] = {
        "name": box.model,
        "display_name": box.model,
        "max_tokens": box.context_tokens or _LIKELY_CONTEXT_TOKENS,
        "capabilities": {
            "tools": True,
            "images": box.reads_pictures,
            "parallel_tool_calls": True,
            "prompt_cache_key": False,
        },
    }
    provider = {"api_url": box.openai_url, "available_models": [model]}
    return JsonMembers(((("language_models", "openai_compatible", "Appliance"), provider),))


def _steps(box: Box) -> str:
    return tr(_STEPS, key=box.secret, model=box.model)


CLIENT = Client(
    name="zed",
    title="Zed",
    commands=("zed", "zeditor"),
    folders=lambda places: (places.settings("zed"),),
    file=lambda places: places.settings("zed") / "settings.json",
    entry=_entry,
    steps=_steps,
)
