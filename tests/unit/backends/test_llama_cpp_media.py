"""llama.cpp's media: the same numbers as its own way of reading them, and files that would end the process."""

import ctypes
import io
import logging
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import llama_cpp.mtmd_cpp as mtmd
import numpy as np
import pytest
import soundfile
from msgspec.structs import replace

from appliance.backends.base import Batch, LogitsArray, MediaSpan, Run, StepAborted
from appliance.backends.llama_cpp import library, media, media_files
from appliance.backends.llama_cpp.adapter import LlamaCppModel
from appliance.backends.llama_cpp.library import native
from appliance.backends.llama_cpp.token_batch import TokenBatch
from appliance.core.plan import LoadPlan
from appliance.core.request import MediaKind
from appliance.errors import BackendError, InvalidRequest
from tests.media import keys_of, medium, pieces_of, read, run_of_piece
from tests.tiny_media import Projector, png, wav, write_model, write_projector
from tests.unit.backends.plans import plan_of
from tests.unit.backends.twin import run_of

CELLS = 4096


def plan_with(folder: Path, projector: Projector) -> LoadPlan:
    write_model(folder / "model.gguf", projector)
    write_projector(folder / "projector.gguf", projector)
    plan = plan_of("llama_cpp", "gguf", str(folder / "model.gguf"), kv_capacity_tokens=CELLS)
    artefact = replace(plan.artefact, projector_path=str(folder / "projector.gguf"))
    return replace(plan, artefact=artefact, context_tokens=CELLS)


def load(plan: LoadPlan) -> LlamaCppModel:
    path = plan.artefact.path
    return LlamaCppModel(plan, library.load_model(path, gpu_layers=0, progress=lambda _: None))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaCppModel]:
    with closing(load(plan_with(tmp_path_factory.mktemp("plain"), "mlp"))) as loaded:
        yield loaded


def read_by_the_library(model: LlamaCppModel, data: bytes) -> LogitsArray:
    """Return the row behind the prompt of `pieces_of`, read by libmtmd's own function with a context of its own."""
    assert model._media is not None
    params = native.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch, params.n_threads = CELLS, 64, 64, 1
    context = native.llama_init_from_model(model._model, params)
    batch = TokenBatch(64, CELLS)
    try:
        batch.fill([Run(0, 0, np.array([65, 66, 67], np.int32), 0)], 3)
        assert native.llama_decode(context, batch.native) == 0
        buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
        bitmap = mtmd.mtmd_helper_bitmap_init_from_buf(model._media.context, buffer, len(data), False)
        part = mtmd.mtmd_input_part(text=None, bitmap=bitmap)
        parts = (ctypes.POINTER(mtmd.mtmd_input_part) * 1)(ctypes.pointer(part))
        chunks = mtmd.mtmd_input_chunks_init()
        assert mtmd.mtmd_tokenize_from_parts(model._media.context, chunks, parts, 1, False) == 0
        end = native.llama_pos()
        read = mtmd.mtmd_helper_eval_chunks(model._media.context, context, chunks, 3, 0, 64, False, ctypes.byref(end))
        assert read == 0
        mtmd.mtmd_input_chunks_free(chunks)
        mtmd.mtmd_bitmap_free(bitmap)
        batch.fill([Run(0, end.value, np.array([70, 90, 91], np.int32), 1)], 3)
        assert native.llama_decode(context, batch.native) == 0
        return np.ctypeslib.as_array(native.llama_get_logits_ith(context, -1), (model.traits.vocab_size,)).copy()
    finally:
        native.llama_free(context)


@pytest.mark.parametrize(
    ("projector", "kind", "size"),
    [
        ("mlp", "image", (64, 48)),
        ("qwen2vl_merger", "image", (160, 112)),
        ("gemma3", "image", (64, 48)),
        ("qwen2a", "audio", ()),
    ],
)
def test_media_give_the_logits_of_the_librarys_own_way(
    tmp_path: Path, projector: Projector, kind: MediaKind, size: tuple[int, ...]
) -> None:
    data = png(1, *size) if kind == "image" else wav(1)
    with closing(load(plan_with(tmp_path, projector))) as model:
        row = read(model, 0, pieces_of(model, medium(data, kind)))
        assert np.abs(row - read_by_the_library(model, data)).max() < 0.02


def test_a_projector_of_another_model_is_refused_with_the_librarys_reason(tmp_path: Path) -> None:
    plan = plan_with(tmp_path, "mlp")
    (tmp_path / "projector.gguf").write_bytes(b"no projector")
    with pytest.raises(BackendError, match=r"cannot load the projector"):
        load(plan)


def test_a_medium_is_computed_once_while_it_is_kept(model: LlamaCppModel, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    encoded = media.MediaEncoder.encoded

    def counted(self: media.MediaEncoder, chunk: object, num_tokens: int) -> media.Floats:
        computed.append(num_tokens)
        return encoded(self, chunk, num_tokens)

    monkeypatch.setattr(media.MediaEncoder, "encoded", counted)
    for seed in (11, 12, 11):
        encode_all(model, seed)
    assert len(computed) == 2
    monkeypatch.setattr(media, "KEPT_BYTES", 0)
    encode_all(model, 12)
    encode_all(model, 11)
    assert len(computed) == 3


def encode_all(model: LlamaCppModel, seed: int) -> None:
    for piece in model.read_medium(medium(png(seed))):
        if isinstance(piece, MediaSpan):
            model.encode(piece)


def test_a_picture_that_is_read_as_text_is_takes_several_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "PART_TOKENS", 6)
    with closing(load(plan_with(tmp_path, "mlp"))) as model:
        pieces = pieces_of(model, medium(png(1)))
        assert [len(piece.keys) for piece in pieces if isinstance(piece, MediaSpan)] == [5, 5, 6]
        row = read(model, 0, pieces)
        monkeypatch.undo()
        assert np.abs(row - read_by_the_library(model, png(1))).max() < 0.02


def png_of(width: int, height: int, inflated: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(inflated)), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


def wav_of(data_bytes: int, form: int = 1, rate: int = 16_000, content: bytes = bytes(64)) -> bytes:
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, form, 1, rate, 2 * rate, 2, 16)
    return b"RIFF" + struct.pack("<I", 36) + b"WAVE" + head + struct.pack("<4sI", b"data", data_bytes) + content


def extensible_wav(subformat: int) -> bytes:
    """Return a WAV file whose form stands in the longer header, and which says that it has four billion samples."""
    plain = struct.pack("<HHIIHH", 0xFFFE, 1, 16_000, 32_000, 2, 16)
    head = plain + struct.pack("<HHIH", 22, 16, 0, subformat) + bytes.fromhex("000000001000800000aa00389b71")
    chunks = {b"fmt ": head, b"fact": struct.pack("<I", 0xFFFFFFF0), b"data": bytes(6400)}
    body = b"".join(kind + struct.pack("<I", len(content)) + content for kind, content in chunks.items())
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body


FLAC_OF_YEARS = b"fLaC" + bytes([0x80, 0, 0, 34]) + bytes(10) + struct.pack(">Q", 16_000 << 44 | 2**36 - 1) + bytes(16)
MP3_OF_HOURS = b"\xff\xf3\x18\xc4" + bytes(32)  # a frame of 36 bytes, and as many milliseconds

# What is no segment is skipped by the decoder, here the frame of a tiny picture
JPEG_IN_JPEG = (
    b"\xff\xd8\xff\xe0\0\x02"
    + (b"\0\xc0\0\x0b\x08\0\x08\0\x08\x03" + bytes(4))
    + (b"\xff\xc0\0\x0b\x08\xff\xff\xff\xff\x03" + bytes(9))
)
# Apple's own chunk, which the decoder reads over, in the form of a tiny picture's head
PNG_IN_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\x0dCgBI" + png(1)[16:33] + png_of(30_000, 30_000, b"")[8:]


def mp3_of(duration_s: float) -> bytes:
    """Return an MP3 file as encoders write it: its first frame tells how many there are."""
    content = io.BytesIO()
    samples = np.random.default_rng(0).normal(0, 0.1, int(16_000 * duration_s)).astype(np.float32)
    soundfile.write(content, samples, 16_000, format="MP3")
    return content.getvalue()


BAD: dict[str, tuple[MediaKind, bytes, str]] = {
    "nothing": ("image", b"", "not among PNG"),
    "text": ("image", b"a picture of a cat", "not among PNG"),
    "a film": ("image", b"\0\0\0\x18ftypmp42" + bytes(64), "not among PNG"),
    "webp": ("image", b"RIFF\x24\0\0\0WEBPVP8 " + bytes(24), "WebP"),
    "sound as a picture": ("image", wav(1), "not among PNG"),
    "a picture as sound": ("audio", png(1), "not among WAV"),
    "a head": ("image", png(1)[:20], "cut off"),
    "half a picture": ("image", png(1)[: len(png(1)) // 2], "cannot be decoded"),
    "a huge picture": ("image", png_of(30_000, 30_000, b""), "30000 x 30000 pixels"),
    "a picture of nothing": ("image", png_of(0, 0, b""), "damaged"),
    "a bomb": ("image", png_of(8, 8, bytes(10_000_000)), "inflates"),
    "no deflate": ("image", png_of(64, 64, b"").replace(b"\x78\x9c", b"\0\0"), "damaged"),
    "a wide jpeg": ("image", b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\x03" + bytes(9), "65535 x 65535"),
    "an endless jpeg": ("image", b"\xff\xd8" + b"\xff\xe0\0\x02" * 9, "cut off"),
    "a huge gif": ("image", b"GIF89a\xff\xff\xff\xff" + bytes(20), "65535 x 65535"),
    "a huge bmp": ("image", b"BM" + bytes(16) + struct.pack("<ii", 2**30, -(2**30)) + bytes(30), "pixels"),
    "a wav that lies": ("audio", wav_of(2**31), "cut off"),
    "a compressed wav": ("audio", wav_of(64, form=2), "compressed"),
    "a slow wav": ("audio", wav_of(64, rate=1), "1 samples a second"),
    "an empty wav": ("audio", wav_of(0, content=b""), "."),
    "years of flac": ("audio", FLAC_OF_YEARS, "longer than 60 minutes"),
    "hours of mp3": ("audio", MP3_OF_HOURS * 101_000, "longer than 60 minutes"),
    "a compressed wav in disguise": ("audio", extensible_wav(subformat=2), "compressed"),
    "an mp3 that is but noise": ("audio", b"ID3" + bytes(7) + b"\xff\xfb\x10" * 20_000, "cut off"),
    "an mp3 of frames of any length": ("audio", b"\xff\xf3\x08\xc4" + bytes(9) + b"\xff\xf3\x08\xc4", "cut off"),
    "a jpeg with another between its parts": ("image", JPEG_IN_JPEG, "65535 x 65535"),
    "a png whose size is not the first": ("image", PNG_IN_PNG, "size does not come first"),
    "no mp3": ("audio", b"ID3" + bytes(200), "."),
}


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaCppModel]:
    with closing(load(plan_with(tmp_path_factory.mktemp("hearing"), "qwen2a"))) as loaded:
        yield loaded


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_words_and_ends_nothing(
    model: LlamaCppModel, hearing: LlamaCppModel, name: str
) -> None:
    kind, data, words = BAD[name]
    with pytest.raises(InvalidRequest, match=words):
        (model if kind == "image" else hearing).read_medium(medium(data, kind))


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (2000, 3)])
@pytest.mark.parametrize("projector", ["mlp", "qwen2vl_merger", "gemma3"])
def test_pictures_of_any_form_are_read(tmp_path: Path, projector: Projector, size: tuple[int, int]) -> None:
    with closing(load(plan_with(tmp_path, projector))) as model:
        for piece in model.read_medium(medium(png(1, *size))):
            if isinstance(piece, MediaSpan):
                model.encode(piece)


def test_a_recording_whose_length_was_not_known_when_it_was_written_is_read(hearing: LlamaCppModel) -> None:
    samples = bytes(range(256)) * 40
    streamed = wav_of(0xFFFFFFFF, content=samples)
    assert media_files.checked("audio", streamed) == wav_of(len(samples), content=samples)
    assert any(isinstance(piece, MediaSpan) for piece in hearing.read_medium(medium(streamed, "audio")))


def test_a_wav_with_the_longer_header_is_read(hearing: LlamaCppModel) -> None:
    assert any(isinstance(piece, MediaSpan) for piece in hearing.read_medium(medium(extensible_wav(1), "audio")))


def test_what_an_mp3_says_of_its_length_is_not_believed(hearing: LlamaCppModel) -> None:
    honest = mp3_of(1.0)
    place = re.search(b"Xing|Info", honest)
    assert place is not None
    count = place.end() + 4  # behind the flags
    lying = honest[:count] + b"\x7f\xff\xff\xff" + honest[count + 4 :]
    plain = media_files.checked("audio", lying)
    assert plain == media_files.checked("audio", honest)
    assert plain in honest, "all but its first frame, which has no sound"
    tagged = b"ID3\x04\0\0\0\0\0\x05.....junk" + honest + b"TAG" + bytes(125)
    assert media_files.checked("audio", tagged) == plain
    assert any(isinstance(piece, MediaSpan) for piece in hearing.read_medium(medium(lying, "audio")))


def test_a_bmp_is_read(model: LlamaCppModel) -> None:
    head = (
        b"BM"
        + struct.pack("<IHHI", 54 + 48, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, 24, 0, 48, 0, 0, 0, 0)
    )
    assert any(isinstance(piece, MediaSpan) for piece in model.read_medium(medium(head + bytes(48))))


def test_a_large_picture_is_seen_smaller_where_a_model_would_take_it_whole(tmp_path: Path) -> None:
    with closing(load(plan_with(tmp_path, "qwen2vl_merger"))) as model:
        spans = [piece for piece in model.read_medium(medium(png(1, 1600, 800))) if isinstance(piece, MediaSpan)]
        assert media.MAX_PICTURE_TOKENS // 2 < sum(len(span.keys) for span in spans) <= media.MAX_PICTURE_TOKENS


def test_a_step_that_fails_after_its_medium_takes_it_out_again(
    model: LlamaCppModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sequence in range(3):
        model.truncate(sequence, 0)
    first, span, *others = pieces_of(model, medium(png(1)))
    model.step(Batch((run_of_piece(model, 0, first, 0), run_of(model, 1, 4, 0))))
    decode = native.llama_decode
    monkeypatch.setattr(native, "llama_decode", lambda context, batch: 2 if batch.token else decode(context, batch))
    free = model.free_tokens()
    with pytest.raises(StepAborted):
        model.step(Batch((run_of(model, 1, 1, 1), run_of_piece(model, 0, span, 0))))
    monkeypatch.undo()
    assert (model.length_tokens(0), model.free_tokens()) == (len(keys_of(first)), free)
    assert native.llama_memory_seq_pos_max(model._memory, 0) == len(keys_of(first)) - 1
    row = read(model, 0, [span, *others])
    assert np.abs(row - read(model, 2, [first, span, *others])).max() < 0.02


def test_bytes_that_are_no_picture_are_handed_to_no_other_program_and_fill_no_log(
    model: LlamaCppModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for name in ("ffprobe", "ffmpeg"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho started >> {tmp_path}/started\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(InvalidRequest, match="cannot be decoded"):
        model.read_medium(medium(png(1)[: len(png(1)) // 2]))
    assert not (tmp_path / "started").exists()
    assert not caplog.records
