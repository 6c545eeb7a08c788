"""`llm`: one more model in extra-openai-models.yaml.

Source: llm.datasette.io/en/stable/other-models.html, "OpenAI-compatible models"; llm 0.32, openai_models.py.
"""

from pathlib import Path
from typing import Any

from appliance.cli.clients.client import Box, Client, Places
from appliance.cli.clients.entry import Entry
from appliance.cli.clients.yaml_text import YamlItem
from appliance.words import tr


def _entry(box: Box) -> Entry:
    item: dict[str, Any] = {
        "model_id": f"appliance/{box.model}",
        "model_name": box.model,
        "api_base": box.openai_url,
        "supports_tools": True,
        "supports_schema": True,
    }
    if box.key is not None:
        item["headers"] = {"Authorization": f"Bearer {box.key}"}
    return YamlItem(None, item)


def _steps(box: Box) -> str:
    return tr("Ask: {command}", command=f"llm -m appliance/{box.model} 'Good morning!'")


def _file(places: Places) -> Path:
    return places.folder("LLM_USER_PATH", ".config/io.datasette.llm") / "extra-openai-models.yaml"


CLIENT = Client(
    name="llm",
    title="llm",
    commands=("llm",),
    folders=lambda places: (places.folder("LLM_USER_PATH", ".config/io.datasette.llm"),),
    file=_file,
    entry=_entry,
    steps=_steps,
)
