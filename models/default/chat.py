"""The chat template of the embedded model. Training renders its text with it, so that serving cannot differ."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja").read_text(encoding="utf-8").rstrip("\n")


def render(
    messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]] = (), *, add_generation_prompt: bool = False
) -> str:
    """Return the conversation as the text that the model reads."""
    return _template().render(messages=messages, tools=tools, add_generation_prompt=add_generation_prompt)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701 (no HTML)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(CHAT_TEMPLATE)
