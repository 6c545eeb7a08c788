"""A prompt with media as one array: tokens, and in the places of media their keys. Knows no template."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from appliance.backends.base import MediaSpan, ReadsMedia, TokenArray
from appliance.core.request import Media
from appliance.errors import InvalidRequest

PlacedSpan = tuple[int, MediaSpan]


@dataclass(frozen=True, slots=True)
class Illustrated:
    """`(num_tokens,) int32`, and the spans by the places of their first keys."""

    tokens: TokenArray
    media: tuple[PlacedSpan, ...] = ()

    def without_first(self) -> "Illustrated":
        """Return it without its first token, which is none of a medium."""
        return Illustrated(self.tokens[1:], tuple((start - 1, span) for start, span in self.media))

    def behind(self, tokens: TokenArray) -> "Illustrated":
        """Return it behind other tokens."""
        shifted = tuple((start + len(tokens), span) for start, span in self.media)
        return Illustrated(np.concatenate((tokens, self.tokens)), shifted)


def illustrate(
    pieces: Iterable[str | Media], encode: Callable[[str, bool], TokenArray], reader: ReadsMedia | None
) -> Illustrated:
    """Return texts and media in their order; `encode` is told whether a text is the first.

    Raises: InvalidRequest, for media where there is no `reader` and such that cannot be read.
    """
    parts: list[TokenArray] = []
    media: list[PlacedSpan] = []
    num_tokens = 0
    for index, piece in enumerate(pieces):
        for part in [encode(piece, index == 0)] if isinstance(piece, str) else _read(piece, reader):
            if isinstance(part, MediaSpan):
                media.append((num_tokens, part))
            parts.append(part.keys if isinstance(part, MediaSpan) else part)
            num_tokens += len(parts[-1])
    return Illustrated(np.concatenate(parts, dtype=np.int32), tuple(media))


def _read(medium: Media, reader: ReadsMedia | None) -> Iterable[TokenArray | MediaSpan]:
    if reader is None:
        raise InvalidRequest(
            f"{medium.kind} can be read only by a loaded model that has a projector for it; ask in text, or take a "
            "model that does",
            param="messages",
        )
    return reader.read_medium(medium)
