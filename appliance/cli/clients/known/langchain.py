"""LangChain: is told in a program.

Source: docs.langchain.com, integration ChatOpenAI of langchain-openai (base_url, api_key, model).
"""

from appliance.cli.clients.client import Box, Client
from appliance.words import tr


def _steps(box: Box) -> str:
    return f"""\
{tr("In the program:")}
  from langchain_openai import ChatOpenAI
  model = ChatOpenAI(base_url={box.openai_url!r}, api_key={box.secret!r}, model={box.model!r})
{tr("or, without a word in it, in its environment:")}
  OPENAI_BASE_URL={box.openai_url} OPENAI_API_KEY={box.secret}"""


CLIENT = Client(name="langchain", title="LangChain", steps=_steps)
