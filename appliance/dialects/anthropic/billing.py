"""A line of bookkeeping at the head of system prompts that would change every prompt from its first tokens on."""

import re
from collections.abc import Sequence

from msgspec.structs import replace

from .content import Block, MessageWire
from .messages import PromptFields

_BILLING_LINE = re.compile(r"\s*x-anthropic-billing-header:[^\n]*\s*", re.IGNORECASE)


def without_billing_line(wire: PromptFields) -> PromptFields:
    """Return a request without Claude Code's billing line at the head of its system prompt.

    Claude Code opens its system prompt with `x-anthropic-billing-header: cc_version=…; cc_entrypoint=cli; cch=…;`, a
    text of its own or a first line, for the accounts of Anthropic's servers. It means nothing to a model, and its last
    field is another one in each request: no two prompts would share a prefix, and each would be read from its start.
    Only the head of the prompt is looked at: a system prompt may speak of such lines.

    Source: the requests of Claude Code 2.1 (anthropics/claude-code, issues 24168 and 68900).
    """
    if wire.system and any(_texts(wire.system)):
        rest = _without(wire.system)
        return wire if rest is None else replace(wire, system=rest)
    first = wire.messages[0]
    rest = _without(first.content) if first.role == "system" else None
    if rest is None:
        return wire
    return replace(wire, messages=[MessageWire(role="system", content=rest), *wire.messages[1:]])


def _texts(content: str | Sequence[Block]) -> list[str | None]:
    return [content] if isinstance(content, str) else [block.text for block in content]


def _without(content: str | list[Block]) -> str | list[Block] | None:
    """Return what is left of a content that begins with the line, None where it begins otherwise."""
    place = next((number for number, text in enumerate(_texts(content)) if text), None)
    if place is None:
        return None
    text = _texts(content)[place] or ""
    line = _BILLING_LINE.match(text)
    if line is None:
        return None
    rest = text[line.end() :]
    if isinstance(content, str):
        return rest
    kept = [replace(content[place], text=rest)] if rest else []
    return [*content[:place], *kept, *content[place + 1 :]]
