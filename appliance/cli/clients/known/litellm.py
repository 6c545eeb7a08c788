"""LiteLLM: a model of its proxy, in whichever file that is started with, or told in a program.

Source: docs.litellm.ai/docs/proxy/configs (model_list, litellm_params) and /docs/providers/openai_compatible.
"""

from appliance.cli.clients.client import Box, Client
from appliance.cli.clients.entry import Entry
from appliance.cli.clients.yaml_text import YamlItem
from appliance.words import tr

_STEPS = """\
The proxy has no usual file: 'appliance connect litellm --file config.yaml' writes into the one that you start it with
(litellm --config config.yaml). In a program:"""


def _entry(box: Box) -> Entry:
    parameters = {"model": f"openai/{box.model}", "api_base": box.openai_url, "api_key": box.secret}
    return YamlItem("model_list", {"model_name": box.model, "litellm_params": parameters})


def _steps(box: Box) -> str:
    return f"""\
{tr(_STEPS)}
  litellm.completion(
      model="openai/{box.model}", api_base="{box.openai_url}", api_key="{box.secret}", messages=messages
  )"""


CLIENT = Client(name="litellm", title="LiteLLM", commands=("litellm",), entry=_entry, steps=_steps)
