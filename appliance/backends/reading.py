"""A model that reads texts alone, to see what it makes of them: for calibration and at the quality gate."""

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import numpy as np

from appliance.backends.base import Batch, LoadedModel, Run
from appliance.backends.held_out import Tokens
from appliance.backends.quality import DecoderLoss, FloatArray


def read_logits(model: LoadedModel, text: Tokens) -> Iterator[tuple[int, FloatArray]]:
    """Yield the logits of every token, a chunk at a time, and the position after the chunk; they are valid until then.

    The model holds no sequence before, and none afterwards.
    """
    chunk_tokens = min(model.traits.max_step_tokens, model.traits.max_step_outputs)
    for start in range(0, len(text), chunk_tokens):
        tokens = text[start : start + chunk_tokens]
        output = model.step(Batch((Run(0, start, tokens, len(tokens)),)))
        yield start + len(tokens), output.logits[0]
    model.truncate(0, 0)


def remember(model: LoadedModel, texts: Sequence[Tokens], file: BinaryIO, progress: Callable[[int], None]) -> None:
    """Write what a model says of the texts, for models that have no room beside it; `progress` is told the tokens."""
    num_read = 0
    for text in texts:
        for _, logits in read_logits(model, text):
            np.save(file, logits)
        num_read += len(text)
        progress(num_read)


def compare(
    model: LoadedModel, texts: Sequence[Tokens], file: BinaryIO, progress: Callable[[int], None]
) -> DecoderLoss:
    """Return what a model lost against the one that was remembered; both read in chunks of one size."""
    loss, num_read = DecoderLoss(), 0
    for text in texts:
        for end, got in read_logits(model, text):
            add_chunk(loss, text, end, np.load(file), got)
        num_read += len(text)
        progress(num_read)
    return loss


def add_chunk(loss: DecoderLoss, text: Tokens, end: int, original: FloatArray, got: FloatArray) -> None:
    """Add what two models say of a chunk of a text, up to position `end`: nobody knows what follows the last token."""
    num_rows = len(got) - (end == len(text))
    loss.add(original[:num_rows], got[:num_rows], text[end - len(got) + 1 : end + 1])
