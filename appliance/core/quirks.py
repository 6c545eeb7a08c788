"""What single clients do beside their API's words, and what is done about it: the names and sentences people read."""

from typing import Literal

import msgspec


class Quirk(msgspec.Struct, frozen=True, kw_only=True):
    """A habit of `client` in one dialect, and in `does` what happens to it. It is switched off by its `setting`."""

    name: str
    client: str
    dialect: Literal["any", "openai", "responses", "anthropic", "ollama"]
    does: str

    @property
    def setting(self) -> str:
        """Return the key that switches it off."""
        return f"normalizers.{self.name}"


QUIRKS = (
    Quirk(
        name="doubled_prefix",
        client="Clients whose base address ends with /v1",
        dialect="any",
        does="/v1/v1/… and /api/api/… are read as they were meant.",
    ),
    Quirk(
        name="claude_code_billing",
        client="Claude Code",
        dialect="anthropic",
        does="The billing line that changes with each request is cut from the system prompt.",
    ),
    Quirk(
        name="claude_code_reminders",
        client="Claude Code",
        dialect="anthropic",
        does="A system message between turns becomes a reminder in what the user says.",
    ),
    Quirk(
        name="anthropic_client_tools",
        client="Agents with Anthropic's own tools",
        dialect="anthropic",
        does="bash, text_editor and memory are described as functions.",
    ),
    Quirk(
        name="anthropic_server_tools",
        client="Claude Code",
        dialect="anthropic",
        does="Tools that only Anthropic's servers run are left out, not refused.",
    ),
    Quirk(
        name="hosted_tools",
        client="Codex",
        dialect="responses",
        does="Tools that only the provider's servers run are left out, not refused.",
    ),
    Quirk(
        name="object_arguments",
        client="Agents that keep calls as objects",
        dialect="openai",
        does="A call's arguments may be an object, or empty, in place of JSON text.",
    ),
    Quirk(
        name="text_arguments",
        client="Agents made for OpenAI's API",
        dialect="ollama",
        does="A call's arguments may be JSON text in place of an object.",
    ),
    Quirk(
        name="grown_num_ctx",
        client="Open WebUI and others with a fixed num_ctx",
        dialect="ollama",
        does="More context than the model was made for means all that it was made for.",
    ),
)
"""In the order in which they are dealt with."""
