"""The quality gate: runs the original and the copy as they are served, and refuses a copy that lost too much."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from appliance.backends.onnx.held_out import windows
from appliance.backends.onnx.prepared import Prepared, prepare
from appliance.backends.onnx.quality import DecoderLoss
from appliance.backends.onnx.reading import open_reader, read_logits
from appliance.errors import InvalidRequest
from models.formats.folder_config import config_folder, read_folder_config
from models.manifest import ModelQuality

_UNKNOWN_CONTEXT_TOKENS = 512
_MAX_TOKENS = 2048


class LossTooLarge(InvalidRequest):
    """The quantized model is worse than was allowed; it was not kept."""


def check_loss(quality: ModelQuality, max_loss_ratio: float, accepts_loss: bool) -> None:
    """Raise LossTooLarge past the threshold, unless any loss is accepted."""
    is_number = np.isfinite(quality.loss_ratio)
    if is_number and (accepts_loss or quality.loss_ratio <= max_loss_ratio):
        return
    what = f"{quality.loss_ratio:.1%} worse than the original" if is_number else "broken: its answers are no numbers"
    mend = "; try int8, --mixed or a smaller block, or keep it with --accept-loss" if is_number else ""
    raise LossTooLarge(f"the quantized model is {what}, {max_loss_ratio:.1%} are allowed{mend}")


class DecoderGate:
    """Holds the original decoder, loaded as it is served, to compare copies with."""

    def __init__(self, original: Path, scratch: Path, num_threads: int) -> None:
        self._scratch, self._num_threads = scratch, num_threads
        self.prepared = prepared = prepare(original, scratch / "original")
        context = read_folder_config(config_folder(original)).context_length_tokens or _UNKNOWN_CONTEXT_TOKENS
        self._windows = windows(config_folder(original), prepared.decoder.vocab_size, context)
        if not self._windows:
            raise InvalidRequest(f"the tokenizer beside {original} makes nothing of a text")
        self._longest_tokens = max(map(len, self._windows))
        self._original = open_reader(prepared, self._longest_tokens, self._num_threads)
        self._num_tokens = sum(map(len, self._windows))
        self.num_tokens = sum(map(len, self._some_windows(_MAX_TOKENS)))

    def close(self) -> None:
        """Free the original."""
        self._original.close()

    def compare(self, copy: Path, progress: Callable[[int], None] = lambda _: None) -> ModelQuality:
        """Return what the copy lost over all texts; `progress` is told the tokens read. Raises: BackendError."""
        return self.compare_prepared(prepare(copy, self._scratch / "copy"), progress).quality()

    def compare_prepared(
        self, copy: Prepared, progress: Callable[[int], None] = lambda _: None, max_tokens: int = _MAX_TOKENS
    ) -> DecoderLoss:
        """Return what a prepared copy lost over the texts, or over about so many tokens of them."""
        model = open_reader(copy, self._longest_tokens, self._num_threads)
        loss, num_read = DecoderLoss(), 0
        try:
            for window in self._some_windows(max_tokens):
                pieces = zip(read_logits(self._original, window), read_logits(model, window), strict=True)
                for (end, expected), (_, got) in pieces:
                    num_rows = len(expected) - (end == len(window))  # nobody knows what follows the last token
                    loss.add(expected[:num_rows], got[:num_rows], window[end - len(expected) + 1 : end + 1])
                num_read += len(window)
                progress(num_read)
        finally:
            model.close()
        return loss

    def _some_windows(self, max_tokens: int) -> Iterator[npt.NDArray[np.int32]]:
        """Yield all windows, or their beginnings with about so many tokens together: no kind of text is left out."""
        share = max(max_tokens // len(self._windows), 2) if self._num_tokens > max_tokens else None
        for window in self._windows:
            yield window[:share]
