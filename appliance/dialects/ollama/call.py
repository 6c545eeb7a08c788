"""What chat and generate share on the way in: their fields, and what these mean in core."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from appliance.core.request import (
    Constraint,
    GenerateRequest,
    JsonSchema,
    Media,
    Prompt,
    Reasoning,
    ReasoningEffort,
    RequestId,
)
from appliance.dialects.media.given import from_base64, from_url
from appliance.errors import InvalidRequest
from models.manifest import ModelPreset

from .keep_alive import KeepAlive, keep_alive_s
from .options import Options, merged, sampling_of, stop_of

_EFFORTS: tuple[ReasoningEffort, ...] = ("low", "medium", "high")


class CallFields(msgspec.Struct, frozen=True, kw_only=True):
    """Every field that both endpoints know. Unknown fields are ignored."""

    model: str | None = None
    stream: bool | None = None
    format: str | dict[str, Any] | None = None
    options: Options | None = None
    keep_alive: KeepAlive | None = None
    think: bool | str | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None

    @property
    def streams(self) -> bool:
        """Whether the answer comes line by line, as it does unless the caller says otherwise."""
        return self.stream is not False

    @property
    def keep_alive_s(self) -> float | None:
        """How long the model stays, in seconds. Raises: InvalidRequest."""
        return keep_alive_s(self.keep_alive)


def core_request(
    wire: CallFields, id: RequestId, model: str, prompt: Prompt, preset: ModelPreset | None
) -> GenerateRequest:
    """Return the request for the engine. Raises: InvalidRequest, with the field."""
    options = merged(wire.options, preset)
    return GenerateRequest(
        id=id,
        model=model,
        prompt=prompt,
        sampling=sampling_of(options),
        stop=stop_of(options),
        logprobs=(wire.top_logprobs or 0) if wire.logprobs else None,
        constraint=_constraint(wire.format),
        keep_alive_s=wire.keep_alive_s,
    )


def reasoning_of(think: bool | str | None) -> Reasoning:
    """Return how much the model thinks; without a word from the caller, as it was made to. Raises: InvalidRequest."""
    if think is None:
        return Reasoning()
    if isinstance(think, bool):
        return Reasoning(effort="medium" if think else "none")
    for effort in _EFFORTS:
        if think == effort:
            return Reasoning(effort=effort)
    raise InvalidRequest(f"'think' is {think!r}; write true, false, 'low', 'medium' or 'high'", param="think")


def pictures_of(images: Sequence[str] | None, path: str) -> tuple[Media, ...]:
    """Return pictures that come before a text, as Ollama has it. Raises: InvalidRequest."""
    return tuple(_picture(image, f"{path}[{place}]") for place, image in enumerate(images or ()))


def refuse_images(images: Sequence[str] | None, path: str, reason: str) -> None:
    """Raise InvalidRequest where pictures were sent in a place that has none."""
    if images:
        raise InvalidRequest(f"'{path}': {reason}", param=path)


def _picture(image: str, path: str) -> Media:
    if image.startswith(("http://", "https://")):
        raise InvalidRequest(f"'{path}' is an address; this API takes the picture itself, in base64", param=path)
    if not image.startswith("data:"):
        return from_base64(image, "image", 0, path)
    medium = from_url(image, "image", 0, path)
    assert isinstance(medium, Media), "a data URL holds the medium itself"
    return medium


def check_template(template: str | None, own: str | None) -> None:
    """Raise InvalidRequest for a template that is not the model's own, the only one that is rendered here."""
    if template and template.strip() != (own or "").strip():
        raise InvalidRequest(
            "'template' differs from the one in the model's own file, and this version renders no other; leave it "
            "out, or send a prompt that is rendered already to /api/generate with 'raw': true",
            param="template",
        )


def _constraint(format: str | dict[str, Any] | None) -> Constraint | None:
    if format is None or format == "":
        return None
    if isinstance(format, dict):
        return JsonSchema(schema=format, param="format")
    if format == "json":
        return JsonSchema(schema={"type": "object"}, param="format")
    raise InvalidRequest(f"'format' is {format[:80]!r}; write 'json' or a JSON schema", param="format")
