"""Codex: a profile, which is a file of its own, so that its other settings stay as they are.

Source: developers.openai.com/codex/config-reference (model_providers, wire_api, experimental_bearer_token); profiles as
files, which codex-cli 0.169 reads.
"""

import json

from appliance.cli.clients.client import Box, Client
from appliance.cli.clients.entry import Entry, WholeFile
from appliance.words import tr


def _entry(box: Box) -> Entry:
    window = "" if box.context_tokens is None else f"model_context_window = {box.context_tokens}\n"
    # A string of JSON is one of TOML, too
    return WholeFile(f"""\
# Written by 'appliance connect codex'.
model = {json.dumps(box.model)}
model_provider = "appliance"
{window}web_search = "disabled"

[model_providers.appliance]
name = "LLM appliance"
base_url = {json.dumps(box.openai_url)}
wire_api = "responses"
experimental_bearer_token = {json.dumps(box.secret)}
""")


def _steps(box: Box) -> str:
    return tr("Start it with this profile: {command}", command="codex --profile appliance")


CLIENT = Client(
    name="codex",
    title="Codex",
    commands=("codex",),
    folders=lambda places: (places.folder("CODEX_HOME", ".codex"),),
    file=lambda places: places.folder("CODEX_HOME", ".codex") / "appliance.config.toml",
    entry=_entry,
    steps=_steps,
)
