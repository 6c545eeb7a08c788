"""What a projector file says of itself: the part of a model that turns pictures or sound into what the rest reads.

Source: llama.cpp, `tools/mtmd/clip-impl.h` (the keys).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.formats.gguf import GGUFFile, read_gguf

MediaKind = Literal["image", "audio"]
_ARCHITECTURE = "clip"
_KEYS: dict[MediaKind, str] = {"image": "clip.has_vision_encoder", "audio": "clip.has_audio_encoder"}


@dataclass(frozen=True, slots=True)
class Projector:
    """What is read through it, and how many bytes its weights have."""

    media: tuple[MediaKind, ...]
    weights_bytes: int


def is_projector(head: GGUFFile) -> bool:
    """Return whether a GGUF file is one, and no model by itself."""
    return head.metadata.get("general.architecture") == _ARCHITECTURE


def read_projector(path: Path) -> Projector | None:
    """Return what a file says, None where it is no projector. Raises: GGUFError, OSError."""
    head = read_gguf(path)
    media = tuple(kind for kind, key in _KEYS.items() if head.metadata.get(key) is True)
    if not is_projector(head) or not media:
        return None
    return Projector(media, sum(tensor.size_bytes for tensor in head.tensors))
