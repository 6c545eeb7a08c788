"""Continue, in editors and as `cn`: one more model in its config.yaml.

Source: docs.continue.dev/reference (name, version, schema, models) and /customize/model-providers/top-level/openai.
"""

from typing import Any

from appliance.cli.clients.client import Box, Client
from appliance.cli.clients.entry import Entry
from appliance.cli.clients.yaml_text import YamlItem
from appliance.words import tr


def _entry(box: Box) -> Entry:
    item: dict[str, Any] = {
        "name": f"Appliance {box.model}",
        "provider": "openai",
        "model": box.model,
        "apiBase": box.openai_url,
        "apiKey": box.secret,
        "roles": ["chat", "edit", "apply"],
    }
    if box.context_tokens is not None:
        item["defaultCompletionOptions"] = {"contextLength": box.context_tokens}
    return YamlItem("models", item, head={"name": "Local", "version": "0.0.1", "schema": "v1"})


def _steps(box: Box) -> str:
    return tr("Choose 'Appliance {model}' in the list of models.", model=box.model)


CLIENT = Client(
    name="continue",
    title="Continue",
    commands=("cn",),
    folders=lambda places: (places.folder("CONTINUE_GLOBAL_DIR", ".continue"),),
    file=lambda places: places.folder("CONTINUE_GLOBAL_DIR", ".continue") / "config.yaml",
    entry=_entry,
    steps=_steps,
)
