"""What the layers of an Ollama model mean here. Pure.

Source: Ollama, `server/images.go`, `GetModel`; docs/modelfile.mdx for the parameters and their ranges.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from models.catalogue.licences import normalise
from models.manifest import ModelPreset, PresetMessage
from models.sources.base import SourceError

_PREFIX = "application/vnd.ollama.image."
_TEXTS = ("template", "prompt", "system", "params", "license", "messages")
_MAX_TEXT_BYTES = 4 * 2**20
_MAX_LAYERS = 1000
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
# Parameters that say how tokens are drawn, and between which values. How a model is loaded is the appliance's choice.
_PARAMETERS: dict[str, tuple[float, float]] = {
    "num_predict": (-2, 2**31),
    "temperature": (0, 1000),
    "top_k": (0, 2**31),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "typical_p": (0, 1),
    "seed": (-(2**63), 2**63),
    "repeat_penalty": (0.01, 1000),
    "repeat_last_n": (-1, 2**31),
    "presence_penalty": (-1000, 1000),
    "frequency_penalty": (-1000, 1000),
}
_MAX_STOPS = 64


class Layer(msgspec.Struct, frozen=True, rename="camel"):
    """A part of a model."""

    media_type: str
    digest: str
    size: int

    @property
    def role(self) -> str:
        """Return what it is: `model`, `template`, …"""
        return self.media_type.removeprefix(_PREFIX)

    @property
    def is_text(self) -> bool:
        """Return whether it is one of the short ones that are read here."""
        return self.role in _TEXTS

    @property
    def sha256(self) -> str:
        """Return the digits of the digest. Raises: SourceError."""
        match = _DIGEST.fullmatch(self.digest)
        if match is None:
            raise SourceError(f"the registry names a layer by {self.digest[:80]!r}, which is no digest")
        return match[1]


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """What a name in a registry stands for."""

    layers: list[Layer]
    schema_version: int = 2


def weights_of(manifest: Manifest, name: str) -> tuple[Layer, Layer | None]:
    """Return the model's file and its projector, if it has one. Raises: SourceError, where it would be no whole model.

    Some models have several projectors, from when each kind of medium had its own; the first is the one that is used.
    """
    if len(manifest.layers) > _MAX_LAYERS or any(layer.size < 0 for layer in manifest.layers):
        raise SourceError(f"the registry describes {name} in a way that is not understood")
    roles = [layer.role for layer in manifest.layers]
    models = [layer for layer in manifest.layers if layer.role == "model"]
    if "tensor" in roles:
        raise SourceError(f"{name} is kept in single tensors, for machines of another kind; look for one in GGUF")
    if "adapter" in roles:
        raise SourceError(
            f"{name} is a base model with a LoRA adapter on top; pull the base, then add the adapter to it"
        )
    if len(models) != 1:
        raise SourceError(f"{name} has {len(models)} files of weights in the registry, and one is understood")
    if any(layer.is_text and layer.size > _MAX_TEXT_BYTES for layer in manifest.layers):
        raise SourceError(f"{name} has a text of more than {_MAX_TEXT_BYTES} bytes among its layers")
    return models[0], next((layer for layer in manifest.layers if layer.role == "projector"), None)


def preset_of(texts: Mapping[Layer, str]) -> tuple[ModelPreset | None, str | None]:
    """Return what the model begins with, and its template, which is in Go's language and only kept."""
    by_role: dict[str, list[str]] = {}
    for layer, text in texts.items():
        by_role.setdefault(layer.role, []).append(text)
    preset = ModelPreset(
        system="\n".join(by_role.get("system", ())).strip() or None,
        messages=_messages("".join(by_role.get("messages", ()))),
        parameters=_parameters("".join(by_role.get("params", ()))),
        licence="\n\n".join(by_role.get("license", ())) or None,
    )
    template = next(iter([*by_role.get("template", ()), *by_role.get("prompt", ())]), None)
    return (None if preset == ModelPreset() else preset), template


def licence_of(text: str) -> str | None:
    """Return the name of the licence that a text is, by its title: `Apache License`, and below it `Version 2.0, …`."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    version = [line.partition(",")[0] for line in lines[1:2] if line.lower().startswith("version")]
    return normalise(" ".join([*lines[:1], *version])[:100])


def _parameters(text: str) -> dict[str, Any]:
    """Return the parameters that mean the same here. The context's length does not: it is the machine's choice."""
    try:
        stated = msgspec.json.decode(text or "{}", type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}
    kept: dict[str, Any] = {}
    for name, (low, high) in _PARAMETERS.items():
        value = stated.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            kept[name] = value
    stops = stated.get("stop")
    stops = [stops] if isinstance(stops, str) else stops
    if isinstance(stops, list):
        kept["stop"] = [stop for stop in stops if isinstance(stop, str) and stop][:_MAX_STOPS]
    return {name: value for name, value in kept.items() if value != []}


def _messages(text: str) -> tuple[PresetMessage, ...]:
    try:
        return msgspec.json.decode(text or "[]", type=tuple[PresetMessage, ...])
    except msgspec.MsgspecError:
        return ()
