"""`POST /api/generate`, inwards: a prompt as clients send it, and what it means."""

from typing import Annotated

import msgspec
from msgspec import Meta

from appliance.core.request import (
    ChatPrompt,
    FillPrompt,
    GenerateRequest,
    Message,
    Prompt,
    RequestId,
    TextPrompt,
)
from appliance.errors import InvalidRequest
from models.manifest import ModelPreset

from .call import CallFields, core_request, pictures_of, reasoning_of, refuse_images

TokenId = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class GenerateBody(CallFields, frozen=True, kw_only=True):
    """The body of the request. Without a prompt it loads the model, or unloads it."""

    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    template: str | None = None
    raw: bool | None = None
    images: list[str] | None = None
    context: list[TokenId] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to answer."""
        return not (self.prompt or self.suffix or self.images)


def prompt_of(wire: GenerateBody, preset: ModelPreset | None, *, is_chat: bool) -> Prompt:
    """Return what is to be answered, without the `context` before it. Raises: InvalidRequest, with the field.

    `is_chat` says whether the model has a template; without one the prompt stands alone, as Ollama has it.
    """
    if wire.raw or wire.suffix or not is_chat:
        refuse_images(wire.images, "images", "pictures need a prompt that the model's chat template renders")
    text = wire.prompt or ""
    if wire.raw:
        return TextPrompt(text=text)
    if wire.suffix:
        if wire.context:
            raise InvalidRequest("'suffix' and 'context' exclude each other; leave one out", param="suffix")
        return FillPrompt(prefix=text, suffix=wire.suffix)
    if not is_chat:
        system = wire.system or (preset.system if preset else None)
        return TextPrompt(text=f"{system}\n\n{text}" if system else text)
    turns = (Message(role="system", content=wire.system),) if wire.system else ()
    asked = Message(role="user", content=text, media=pictures_of(wire.images, "images"))
    return ChatPrompt(messages=(*turns, asked), reasoning=reasoning_of(wire.think))


def generate_to_core(
    wire: GenerateBody, id: RequestId, model: str, prompt: Prompt, preset: ModelPreset | None
) -> GenerateRequest:
    """Return the request for the engine. Raises: InvalidRequest, with the field.

    Tokens cannot bring pictures back, so that an answer to such gives no context to go on with.
    """
    core = core_request(wire, id, model, prompt, preset)
    returns_tokens = not (wire.raw or wire.suffix or wire.images)
    return msgspec.structs.replace(core, context=tuple(wire.context or ()), returns_tokens=returns_tokens)
