"""Claude Code: the `env` of its settings, where the box takes Anthropic's place.

Source: code.claude.com/docs/en/llm-gateway and /settings (`env`, ANTHROPIC_BASE_URL without /v1, ANTHROPIC_AUTH_TOKEN);
/model-config (ANTHROPIC_DEFAULT_*_MODEL: what the names of its tiers mean).
"""

from appliance.cli.clients.client import Box, Client
from appliance.cli.clients.entry import Entry
from appliance.cli.clients.jsonc import JsonMembers
from appliance.words import tr

_MODELS = (
    "ANTHROPIC_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
)


def _entry(box: Box) -> Entry:
    values = {"ANTHROPIC_BASE_URL": box.url, "ANTHROPIC_AUTH_TOKEN": box.secret} | dict.fromkeys(_MODELS, box.model)
    return JsonMembers(tuple((("env", name), value) for name, value in values.items()))


def _steps(box: Box) -> str:
    return tr("Every 'claude' asks this box from now on, until 'appliance connect claude-code --undo'.")


CLIENT = Client(
    name="claude-code",
    title="Claude Code",
    commands=("claude",),
    folders=lambda places: (places.folder("CLAUDE_CONFIG_DIR", ".claude"),),
    file=lambda places: places.folder("CLAUDE_CONFIG_DIR", ".claude") / "settings.json",
    entry=_entry,
    steps=_steps,
)
