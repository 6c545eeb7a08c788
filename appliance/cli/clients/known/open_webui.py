"""Open WebUI: reads its environment at its first start, and what its administrator enters from then on.

Source: docs.openwebui.com, "Environment Variable Configuration", OPENAI_API_BASE_URL and OPENAI_API_KEY (persistent).
"""

from appliance.cli.clients.client import Box, Client
from appliance.words import tr

_NEW = """\
New: start it with these in its environment. In a container, 127.0.0.1 is the container: serve with --host 0.0.0.0
(which needs a key), and name this machine by its address."""


def _steps(box: Box) -> str:
    return f"""\
{tr(_NEW)}
  OPENAI_API_BASE_URL={box.openai_url}
  OPENAI_API_KEY={box.secret}
{tr("Running: Admin Panel > Settings > Connections > OpenAI API, add")}
  URL {box.openai_url}
  Key {box.secret}"""


CLIENT = Client(name="open-webui", title="Open WebUI", commands=("open-webui",), steps=_steps)
