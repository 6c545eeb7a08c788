"""Cline: keeps its state to itself, so its own command or its settings page is used.

Source: docs.cline.bot/provider-config/openai-compatible; `cline auth --help` of cline 3.0.65.
"""

import shlex

from appliance.cli.clients.client import Box, Client
from appliance.words import tr


def _steps(box: Box) -> str:
    url, key, model = map(shlex.quote, (box.openai_url, box.secret, box.model))
    return f"""\
{tr("In a terminal:")}
  cline auth -p openai-compatible -b {url} -k {key} -m {model}
{tr("In an editor: Cline's settings (the gear), API Provider 'OpenAI Compatible', then")}
  Base URL  {box.openai_url}
  API Key   {box.secret}
  Model ID  {box.model}"""


CLIENT = Client(
    name="cline",
    title="Cline",
    commands=("cline",),
    folders=lambda places: (places.home / ".cline",),
    steps=_steps,
)
