"""What a model that was made of another begins with, put before each conversation in whatever dialect. Pure."""

import msgspec

from appliance.core.request import ChatPrompt, Message, Prompt
from models.manifest import ModelPreset


def with_preset(prompt: Prompt, preset: ModelPreset | None, *, has_begun: bool = False) -> Prompt:
    """Return the prompt with its model's system message, unless it brings one, and its model's turns before its own.

    Where the conversation has begun before this prompt, those turns were said already.
    """
    if preset is None or not isinstance(prompt, ChatPrompt):
        return prompt
    messages = prompt.messages
    own = messages[:1] if messages and messages[0].role == "system" else ()
    system = own or ((Message(role="system", content=preset.system),) if preset.system else ())
    turns = tuple(Message(role=turn.role, content=turn.content) for turn in preset.messages * (not has_begun))
    return msgspec.structs.replace(prompt, messages=(*system, *turns, *messages[len(own) :]))
