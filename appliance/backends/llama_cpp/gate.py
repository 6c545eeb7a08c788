"""The quality gate of GGUF files: what the source says of the held-out texts, and what each copy makes of them.

One model is in memory at a time: what the source says waits in a file while the copies read, so that the gate takes no
more memory than serving the source. Each model is measured for its speed while it is there.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from appliance.backends.base import LoadedEncoder, LoadedModel
from appliance.backends.held_out import HELD_OUT, MAX_WINDOW_TOKENS, Tokens, beginnings, sentences, windows_of
from appliance.backends.llama_cpp.backend import LlamaCppBackend
from appliance.backends.llama_cpp.reading import artefact_of, open_reader
from appliance.backends.quality import MIN_TOKENS, FloatArray, encoder_quality
from appliance.backends.reading import compare, remember
from appliance.backends.speed import Speed, measure_speed, watching_others
from appliance.core.calibration import GENERATED_TOKENS
from appliance.errors import InvalidRequest
from models.formats.gguf import read_gguf
from models.formats.summary import summarize_gguf
from models.manifest import ModelQuality

Progress = Callable[[str, float], None]
"""Told what is done, and how much of it, a ratio."""

_SPEED_TOKENS = 512
_LEAST_TEXTS = 8


class DecoderGate:
    """Remembers what a model that writes says of the texts."""

    def __init__(
        self, source: Path, file: BinaryIO, num_threads: int, progress: Progress, texts: Path | None = None
    ) -> None:
        """Read the texts, or others, which may hold special tokens as a template writes them.

        `file` is for this object alone. Raises: BackendError, InvalidRequest.
        """
        self._file, self._num_threads = file, num_threads
        context_tokens = summarize_gguf(read_gguf(source)).context_length_tokens or MAX_WINDOW_TOKENS
        tokenizer = LlamaCppBackend().open_tokenizer(artefact_of(source))

        def encode(text: str) -> Tokens:
            return tokenizer.encode(text, parse_special=texts is not None, add_bos=True)

        self._texts = beginnings(_windows(encode, context_tokens, texts or HELD_OUT))
        if sum(map(len, self._texts)) - len(self._texts) < MIN_TOKENS:
            raise InvalidRequest(f"the tokenizer of {source.name} finds too few tokens in the texts to judge by")
        num_prompt = max(min(_SPEED_TOKENS, context_tokens - GENERATED_TOKENS), 1)
        self._prompt = np.resize(np.concatenate(self._texts), num_prompt).astype(np.int32)
        self._room_tokens = max(max(map(len, self._texts)), num_prompt + GENERATED_TOKENS)
        self._num_tokens = sum(map(len, self._texts))
        model = self._open(source)
        try:
            remember(model, self._texts, file, self._told(progress, "reading with the original"))
            self.speed = measure_speed(model, self._prompt)
        finally:
            model.close()

    def judge(self, copy: Path, progress: Progress) -> tuple[ModelQuality, Speed]:
        """Return what a copy lost, and how fast it is. Raises: BackendError."""
        model = self._open(copy)
        self._file.seek(0)
        try:
            quality = compare(model, self._texts, self._file, self._told(progress, "comparing")).quality()
            return quality, measure_speed(model, self._prompt)
        finally:
            model.close()

    def _open(self, path: Path) -> LoadedModel:
        return cast(LoadedModel, open_reader(path, self._room_tokens, self._num_threads))

    def _told(self, progress: Progress, what: str) -> Callable[[int], None]:
        return lambda num_tokens: progress(what, num_tokens / self._num_tokens)


class EncoderGate:
    """Remembers the vectors of an encoder."""

    def __init__(self, source: Path, num_threads: int, progress: Progress) -> None:
        """Read the texts. Raises: BackendError, InvalidRequest."""
        self._num_threads = num_threads
        context_tokens = summarize_gguf(read_gguf(source)).context_length_tokens or MAX_WINDOW_TOKENS
        inputs = LlamaCppBackend().open_inputs(artefact_of(source)).read(sentences(), None)
        self._inputs = [each for each in inputs if len(each.tokens) <= context_tokens]
        if len(self._inputs) < _LEAST_TEXTS:
            raise InvalidRequest(f"{source.name} reads {context_tokens} tokens, too few for the texts to judge by")
        self._room_tokens = max(len(each.tokens) for each in self._inputs)
        self._vectors, self.speed = self._read(source, progress, "reading with the original")

    def judge(self, copy: Path, progress: Progress) -> tuple[ModelQuality, Speed]:
        """Return what a copy lost, and how fast it is. Raises: BackendError."""
        vectors, speed = self._read(copy, progress, "comparing")
        return encoder_quality(self._vectors, vectors), speed

    def _read(self, path: Path, progress: Progress, what: str) -> tuple[FloatArray, Speed]:
        encoder = cast(LoadedEncoder, open_reader(path, self._room_tokens, self._num_threads))
        try:
            encoder.embed(self._inputs[:1])  # memory is touched for the first time
            rows: list[FloatArray] = []
            with watching_others() as others:
                began_s = time.perf_counter()
                for each in self._inputs:
                    rows.append(encoder.embed([each])[0])
                    progress(what, len(rows) / len(self._inputs))
                passed_s = time.perf_counter() - began_s
        finally:
            encoder.close()
        num_tokens = sum(len(each.tokens) for each in self._inputs)
        return np.array(rows, np.float32), Speed(num_tokens / passed_s, None, others.are_busy)


def open_gate(
    source: Path, file: BinaryIO, num_threads: int, progress: Progress, texts: Path | None = None
) -> DecoderGate | EncoderGate:
    """Return the gate for the kind of model that the file holds. Raises: BackendError, InvalidRequest."""
    details = summarize_gguf(read_gguf(source))
    if details.task == "score":
        raise InvalidRequest("a model that ranks texts cannot be compared with its copy yet; others can")
    if details.task == "embed" and texts is not None:
        raise InvalidRequest("a model that makes vectors is judged by our own texts; texts is for models that write")
    if details.task == "embed":
        return EncoderGate(source, num_threads, progress)
    return DecoderGate(source, file, num_threads, progress, texts)


def _windows(encode: Callable[[str], Tokens], context_tokens: int, texts: Path) -> list[Tokens]:
    try:
        return windows_of(encode, context_tokens, texts)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{texts} cannot be read as texts: {error}", param="texts") from None
