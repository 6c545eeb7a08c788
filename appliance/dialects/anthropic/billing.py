"""A line of bookkeeping at the head of system prompts that would change every prompt from its first tokens on."""

import re
from collections.abc import Sequence

_BILLING_LINE = re.compile(r"\s*x-anthropic-billing-header:[^\n]*\s*", re.IGNORECASE)


def without_billing_line(system: Sequence[str]) -> list[str]:
    """Return the texts of a system prompt without Claude Code's billing line.

    Claude Code opens its system prompt with `x-anthropic-billing-header: cc_version=…; cc_entrypoint=cli; cch=…;`, a
    text of its own or a first line, for the accounts of Anthropic's servers. It means nothing to a model, and its last
    field is another one in each request: no two prompts would share a prefix, and each would be read from its start.
    Only the head of the prompt is looked at: a system prompt may speak of such lines.

    Source: the requests of Claude Code 2.1 (anthropics/claude-code, issues 24168 and 68900).
    """
    texts = list(system)
    if texts and (line := _BILLING_LINE.match(texts[0])):
        rest = texts[0][line.end() :]
        return [rest, *texts[1:]] if rest else texts[1:]
    return texts
