"""The quality gate: runs the original and the copy as they are served, and says what the copy lost."""

from collections.abc import Callable
from pathlib import Path

from appliance.backends.held_out import MAX_TOKENS, beginnings
from appliance.backends.onnx.prepared import Prepared, prepare
from appliance.backends.onnx.reading import open_reader
from appliance.backends.onnx.texts import windows
from appliance.backends.quality import DecoderLoss
from appliance.backends.reading import add_chunk, read_logits
from appliance.errors import InvalidRequest
from models.formats.folder_config import config_folder
from models.manifest import ModelQuality


class DecoderGate:
    """Holds the original decoder, loaded as it is served, to compare copies with."""

    def __init__(self, original: Path, scratch: Path, num_threads: int) -> None:
        self._scratch, self._num_threads = scratch, num_threads
        self.prepared = prepared = prepare(original, scratch / "original")
        self._windows = windows(config_folder(original), prepared.decoder.vocab_size)
        if not self._windows:
            raise InvalidRequest(f"the tokenizer beside {original} makes nothing of a text")
        self._longest_tokens = max(map(len, self._windows))
        self._original = open_reader(prepared, self._longest_tokens, self._num_threads)
        self.num_tokens = sum(map(len, beginnings(self._windows)))

    def close(self) -> None:
        """Free the original."""
        self._original.close()

    def compare(self, copy: Path, progress: Callable[[int], None] = lambda _: None) -> ModelQuality:
        """Return what the copy lost over all texts; `progress` is told the tokens read. Raises: BackendError."""
        return self.compare_prepared(prepare(copy, self._scratch / "copy"), progress).quality()

    def compare_prepared(
        self, copy: Prepared, progress: Callable[[int], None] = lambda _: None, max_tokens: int = MAX_TOKENS
    ) -> DecoderLoss:
        """Return what a prepared copy lost over the texts, or over about so many tokens of them."""
        model = open_reader(copy, self._longest_tokens, self._num_threads)
        loss, num_read = DecoderLoss(), 0
        try:
            for window in beginnings(self._windows, max_tokens):
                pieces = zip(read_logits(self._original, window), read_logits(model, window), strict=True)
                for (end, expected), (_, got) in pieces:
                    add_chunk(loss, window, end, expected, got)
                num_read += len(window)
                progress(num_read)
        finally:
            model.close()
        return loss
