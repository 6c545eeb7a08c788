"""Pictures and recordings as embeddings: libmtmd with one projector. Knows neither sequences nor the KV cache.

Two threads use it: the one that reads prompts, ahead of time, and the one that takes steps, where that was not done.
"""

import ctypes
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.backends.base import MediaSpan, TokenArray
from appliance.backends.llama_cpp import library
from appliance.backends.llama_cpp.library import mtmd, native
from appliance.backends.llama_cpp.media_files import checked
from appliance.backends.media_keys import media_keys
from appliance.core.request import Media, MediaKind
from appliance.errors import BackendError, InvalidRequest

PART_TOKENS = 128
"""A span where a model reads media as it reads text: longer ones would make everybody else wait."""

MAX_PICTURE_TOKENS = 1024
"""Where a model would take more of a large picture, which it then sees smaller: half a minute of a processor's time
for many, and it grows with the square."""

KEPT_BYTES = 64 * 2**20
"""Of embeddings of media that nobody asks about now, and may again: each turn of a chat brings all of its media."""

_LARGE_SIDE = 4096
_NO_FOLDER = b"/dev/null"  # where the library looks for ffmpeg, to which it would hand what is no picture to it
_NUM_SECTIONS = 4  # of a position, where there are more than one. Source: ggml.h, GGML_MROPE_SECTIONS

_log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
Piece = TokenArray | MediaSpan


@native.llama_log_callback  # type: ignore[untyped-decorator]  # the library has no types
def _on_file_log(_level: int, text: bytes, _user_data: object) -> None:
    """Keep what is said about a caller's file out of the log: the caller is told, and no operator can mend it."""
    _log.debug("%s", text.decode(errors="replace").strip())


mtmd.mtmd_helper_log_set(_on_file_log, None)
mtmd.mtmd_log_set(library.on_log, None)  # the call before sets this one, too


class Chunk:
    """What libmtmd makes of a medium, or of one tile of it: `num_tokens` embeddings that take `num_positions`."""

    def __init__(self, encoder: "MediaEncoder", chunk: Any) -> None:
        """`chunk` is libmtmd's, copied and from now on this object's."""
        self._encoder = encoder
        self._chunk = chunk
        self._embeddings: Floats | None = None
        self.num_tokens: int = mtmd.mtmd_input_chunk_get_n_tokens(chunk)
        self.num_positions: int = mtmd.mtmd_input_chunk_get_n_pos(chunk)
        self.is_causal = not mtmd.mtmd_decode_use_non_causal(encoder.context, chunk)

    def __del__(self) -> None:
        mtmd.mtmd_input_chunk_free(self._chunk)

    @property
    def is_even(self) -> bool:
        """Whether every token is read as one of text is: at a position of its own, seeing only what was before it."""
        return self.is_causal and self.num_positions == self.num_tokens and not self._encoder.has_sections

    @property
    def num_bytes(self) -> int:
        """What its embeddings take, or will."""
        return self.num_tokens * self._encoder.width * 4

    def embeddings(self) -> Floats:
        """Return `(num_tokens, width) float32`, computed once. Raises: BackendError."""
        if self._embeddings is not None:
            return self._embeddings
        with self._encoder.computing:
            if self._embeddings is None:
                embeddings = self._encoder.encoded(self._chunk, self.num_tokens)
                pixels, self._chunk = self._chunk, mtmd.mtmd_input_chunk_get_placeholder(self._chunk)
                mtmd.mtmd_input_chunk_free(pixels)
                self._embeddings = embeddings
            return self._embeddings

    def positions(self, start: int) -> npt.NDArray[np.int32]:
        """Return `(1 or 4, num_tokens) int32`, where the chunk begins at position `start`."""
        if not self._encoder.has_sections:
            return np.arange(start, start + self.num_tokens, dtype=np.int32)[None]
        image = None
        if mtmd.mtmd_input_chunk_get_type(self._chunk) == mtmd.MTMD_INPUT_CHUNK_TYPE_IMAGE:
            image = mtmd.mtmd_input_chunk_get_tokens_image(self._chunk)
        if not image:
            return np.tile(np.arange(start, start + self.num_tokens, dtype=np.int32), (_NUM_SECTIONS, 1))
        places = (mtmd.mtmd_decoder_pos * self.num_tokens)()
        mtmd.mtmd_helper_image_get_decoder_pos(image, start, places)
        time, x, y, z = np.frombuffer(bytes(places), np.int32).reshape(self.num_tokens, _NUM_SECTIONS).T
        return np.stack((time, y, x, z))


class Part:
    """Tokens `[start, end)` of a chunk: the content of a span."""

    def __init__(self, chunk: Chunk, start: int, end: int) -> None:
        self.chunk = chunk
        self.start, self.end = start, end

    @property
    def num_positions(self) -> int:
        """How far the position moves on."""
        return self.end - self.start if self.chunk.is_even else self.chunk.num_positions


class MediaEncoder:
    """One projector, opened for the model that it was trained with."""

    def __init__(self, path: str, model: Any, num_threads: int, max_step_tokens: int) -> None:
        """Raises: BackendError, with the library's reason."""
        self.computing = threading.Lock()
        self._reading = threading.Lock()
        self.width: int = native.llama_model_n_embd_inp(model)
        self.context = _open(path, model, num_threads)
        if _most_tokens(self.context) > MAX_PICTURE_TOKENS:
            mtmd.mtmd_free(self.context)
            self.context = _open(path, model, num_threads, MAX_PICTURE_TOKENS)
        self.has_sections = bool(mtmd.mtmd_decode_use_mrope(self.context))
        supported: dict[MediaKind, bool] = {
            "image": mtmd.mtmd_support_vision(self.context),
            "audio": mtmd.mtmd_support_audio(self.context),
        }
        self.kinds = frozenset(kind for kind, is_supported in supported.items() if is_supported)
        self._max_step_tokens = max_step_tokens
        self._kept: OrderedDict[str, tuple[Piece, ...]] = OrderedDict()

    def read(self, medium: Media) -> tuple[Piece, ...]:
        """Return the spans of a medium and the tokens around them. Raises: InvalidRequest."""
        if medium.kind not in self.kinds:
            raise InvalidRequest(
                f"this model reads no {medium.kind}; its projector is for {', '.join(self.kinds)} only"
            )
        with self._reading:
            pieces = self._kept.get(medium.digest)
            if pieces is None:
                pieces = self._kept[medium.digest] = tuple(self._pieces(medium))
            self._kept.move_to_end(medium.digest)
            self._forget()
            return pieces

    def encoded(self, chunk: Any, num_tokens: int) -> Floats:
        """Return the embeddings of a chunk of libmtmd. Raises: BackendError."""
        if mtmd.mtmd_encode_chunk(self.context, chunk) != 0:
            raise BackendError(library.failure("llama.cpp cannot compute the embeddings of a medium"))
        return np.ctypeslib.as_array(mtmd.mtmd_get_output_embd(self.context), (num_tokens, self.width)).copy()

    def close(self) -> None:
        """Free the projector. Nothing more is read or computed."""
        with self._reading, self.computing:
            self._kept.clear()
            if self.context:
                mtmd.mtmd_free(self.context)
            self.context = None

    def _forget(self) -> None:
        """Let go what was not asked for longest; who still needs it has it."""
        sizes = {digest: _num_bytes(pieces) for digest, pieces in self._kept.items()}
        while len(self._kept) > 1 and sum(sizes.values()) > KEPT_BYTES:
            digest, _ = self._kept.popitem(last=False)
            del sizes[digest]

    def _pieces(self, medium: Media) -> list[Piece]:
        pieces: list[Piece] = []
        num_parts = 0
        for chunk in self._chunks(checked(medium.kind, medium.data), medium):
            if isinstance(chunk, np.ndarray):
                pieces.append(chunk)
                continue
            if not chunk.is_causal and chunk.num_tokens > self._max_step_tokens:
                raise InvalidRequest(
                    f"the {medium.kind} takes {chunk.num_tokens} tokens, which this model reads all at once, and a "
                    f"step holds {self._max_step_tokens}; send it smaller"
                )
            num_cuts = -(-chunk.num_tokens // PART_TOKENS) if chunk.is_even else 1
            for start, end in pairwise(chunk.num_tokens * cut // num_cuts for cut in range(num_cuts + 1)):
                pieces.append(MediaSpan(media_keys(medium.digest, num_parts, end - start), Part(chunk, start, end)))
                num_parts += 1
        return pieces

    def _chunks(self, content: bytes, medium: Media) -> list[TokenArray | Chunk]:
        """Return the medium in the library's chunks. Raises: InvalidRequest."""
        library.forget_errors()
        buffer = (ctypes.c_uint8 * len(content)).from_buffer_copy(content)
        options = mtmd.mtmd_helper_init_opt_default()
        options.video_params.ffmpeg_bin_dir = _NO_FOLDER
        bitmap = mtmd.mtmd_helper_bitmap_init_from_buf(self.context, buffer, len(content), False, options)
        if not bitmap:
            raise InvalidRequest(f"the {medium.kind} cannot be decoded; is the file whole?")
        with _tokenized(self.context, bitmap) as chunks:
            if chunks is None:
                raise InvalidRequest(library.failure(f"the {medium.kind} cannot be prepared for the model"))
            return [
                _text(chunk) if _is_text(chunk) else Chunk(self, mtmd.mtmd_input_chunk_copy(chunk)) for chunk in chunks
            ]


def _open(path: str, model: Any, num_threads: int, max_picture_tokens: int | None = None) -> Any:
    """Return libmtmd's context; its own bound of a picture's tokens stays where none is given. Raises: BackendError."""
    params = mtmd.mtmd_context_params_default()
    params.use_gpu, params.print_timings, params.n_threads = False, False, num_threads
    if max_picture_tokens is not None:
        params.image_max_tokens = max_picture_tokens
    context = mtmd.mtmd_init_from_file(path.encode(), model, params)
    if not context:
        raise BackendError(library.failure(f"llama.cpp cannot load the projector {path}"))
    return context


def _most_tokens(context: Any) -> int:
    """Return the tokens of the largest tile of a large picture, without one: the library needs but its size."""
    if not mtmd.mtmd_support_vision(context):
        return 0
    bitmap = mtmd.mtmd_bitmap_init(_LARGE_SIDE, _LARGE_SIDE, None)
    with _tokenized(context, bitmap) as chunks:
        return max((mtmd.mtmd_input_chunk_get_n_tokens(chunk) for chunk in chunks or ()), default=0)


@contextmanager
def _tokenized(context: Any, bitmap: Any) -> Iterator[list[Any] | None]:
    """Yield the library's chunks of a bitmap, None where it cannot make any; then free both.

    It is given nothing but the medium, so no text can pose as one.
    """
    chunks = mtmd.mtmd_input_chunks_init()
    try:
        part = mtmd.mtmd_input_part(text=None, bitmap=bitmap)
        parts = (ctypes.POINTER(mtmd.mtmd_input_part) * 1)(ctypes.pointer(part))
        status = mtmd.mtmd_tokenize_from_parts(context, chunks, parts, 1, False)
        indices = range(mtmd.mtmd_input_chunks_size(chunks))
        yield None if status != 0 else [mtmd.mtmd_input_chunks_get(chunks, index) for index in indices]
    finally:
        mtmd.mtmd_input_chunks_free(chunks)
        mtmd.mtmd_bitmap_free(bitmap)


def _is_text(chunk: Any) -> bool:
    return bool(mtmd.mtmd_input_chunk_get_type(chunk) == mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT)


def _text(chunk: Any) -> TokenArray:
    num_tokens = ctypes.c_size_t()
    tokens = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(num_tokens))
    return np.array(tokens[: num_tokens.value], np.int32)


def _num_bytes(pieces: tuple[Piece, ...]) -> int:
    contents = [piece.content for piece in pieces if isinstance(piece, MediaSpan)]
    return sum(chunk.num_bytes for chunk in {part.chunk for part in contents if isinstance(part, Part)})
