"""Media as requests carry them, and prompts with them as a model reads them, for tests."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from appliance.backends.base import Batch, LoadedModel, LogitsArray, MediaSpan, ReadsMedia, Run, TokenArray
from appliance.core.request import Media, MediaKind

Piece = TokenArray | MediaSpan


def medium(data: bytes, kind: MediaKind = "image", at: int = 0) -> Media:
    return Media(kind=kind, data=data, digest=sha256(data).hexdigest(), at=at)


def pieces_of(model: LoadedModel, *media: Media) -> list[Piece]:
    """Return a prompt with the media in it, and a few tokens before, between and behind them."""
    assert isinstance(model, ReadsMedia)
    pieces: list[Piece] = [np.array([65, 66, 67], np.int32)]
    for number, each in enumerate(media):
        pieces += [*model.read_medium(each), np.array([70 + number, 90, 91], np.int32)]
    return pieces


def keys_of(piece: Piece) -> TokenArray:
    return piece.keys if isinstance(piece, MediaSpan) else piece


def run_of_piece(model: LoadedModel, sequence: int, piece: Piece, num_outputs: int) -> Run:
    start = model.length_tokens(sequence)
    return Run(sequence, start, keys_of(piece), num_outputs, piece if isinstance(piece, MediaSpan) else None)


def read(model: LoadedModel, sequence: int, pieces: Sequence[Piece]) -> LogitsArray:
    """Put the pieces into a sequence one after the other, and return the row behind the last."""
    for piece in pieces[:-1]:
        model.step(Batch((run_of_piece(model, sequence, piece, 0),)))
    return model.step(Batch((run_of_piece(model, sequence, pieces[-1], 1),))).logits[0][0].copy()
