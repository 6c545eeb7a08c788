"""VS Code's chat: its 'Custom Endpoint' takes the key itself and keeps it as a secret, so it is set up by hand.

Source: microsoft/vscode issue 316916 (the provider `customendpoint`, what stands in chatLanguageModels.json).
"""

import json

from appliance.cli.clients.client import Box, Client
from appliance.words import tr

_LIKELY_CONTEXT_TOKENS = 8192
_STEPS = """\
1. Command palette: 'Chat: Manage Language Models' > Add Models > Custom Endpoint
2. Name: Appliance. API key: {key}. API type: Chat Completions
3. In chatLanguageModels.json, which opens then, set the provider's models:
  {models}
Before version 1.122 there is none of this; use its Ollama provider, with 'appliance serve --ollama-port 11434'."""


def _steps(box: Box) -> str:
    context_tokens = box.context_tokens or _LIKELY_CONTEXT_TOKENS
    model = {
        "id": box.model,
        "name": box.model,
        "url": f"{box.openai_url}/chat/completions",
        "toolCalling": True,
        "vision": box.reads_pictures,
        "maxInputTokens": context_tokens * 3 // 4,
        "maxOutputTokens": context_tokens // 4,
    }
    written = json.dumps([model], indent=2, ensure_ascii=False).replace("\n", "\n  ")
    return tr(_STEPS, key=box.secret, models=written)


CLIENT = Client(
    name="vscode",
    title="VS Code",
    commands=("code", "codium", "code-insiders"),
    folders=lambda places: (places.settings("Code"), places.settings("VSCodium")),
    steps=_steps,
)
