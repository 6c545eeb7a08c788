"""aider: plain values in .aider.conf.yml of the person's own folder.

Source: aider.chat/docs/config/aider_conf.html and /docs/llms/openai-compat.html (the model's name begins with openai/).
"""

from appliance.cli.clients.client import Box, Client
from appliance.cli.clients.entry import Entry
from appliance.cli.clients.yaml_text import YamlValues
from appliance.words import tr


def _entry(box: Box) -> Entry:
    return YamlValues({"model": f"openai/{box.model}", "openai-api-base": box.openai_url, "openai-api-key": box.secret})


def _steps(box: Box) -> str:
    return tr("Start 'aider' in a repository. A .aider.conf.yml in the repository goes before this one.")


CLIENT = Client(
    name="aider",
    title="aider",
    commands=("aider",),
    file=lambda places: places.home / ".aider.conf.yml",
    entry=_entry,
    steps=_steps,
)
