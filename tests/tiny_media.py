"""Small models that see and hear, with random weights: a decoder with a vocabulary, and projectors of four kinds.

A projector is what llama.cpp calls an mmproj file. `mlp` is the plain one; pictures of `qwen2vl_merger` take fewer
positions than tokens (M-RoPE), those of `gemma3` attend to themselves in both directions, and `qwen2a` hears.
Pictures and recordings are made here, too, so that no test needs a file or a library for them.
"""

import io
import struct
import wave
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from models.default.gguf_export import gguf_metadata
from models.default.shape import Shape
from models.formats.gguf_writer import Tensor, Value, write_gguf
from tests.shapes import vocabulary
from tests.tiny_decoders import FEED_FORWARD, NUM_LAYERS, WIDTH, TinyDecoder, tensors_of

Projector = Literal["mlp", "qwen2vl_merger", "gemma3", "qwen2a"]

VOCABULARY_SIZE = 512
_SIGHT, _SIGHT_FEED_FORWARD, _SIGHT_LAYERS, _SIGHT_HEADS = 64, 96, 2, 2
_PATCH, _IMAGE = 8, 32
_MEL_BINS, _MOST_FRAMES = 128, 1500
SAMPLE_RATE = 16_000


def write_model(path: Path, projector: Projector = "mlp") -> None:
    """Write a decoder that goes with the projector; the same call gives the same bytes."""
    architecture = "qwen2vl" if projector == "qwen2vl_merger" else "llama"
    decoder = TinyDecoder(
        "seeing", architecture, has_bias=architecture != "llama", matrices="F16", vocab_size=VOCABULARY_SIZE
    )
    shape = Shape(NUM_LAYERS, WIDTH, 4, 2, FEED_FORWARD, VOCABULARY_SIZE, 4096, 1e4)
    metadata = gguf_metadata(architecture, "tiny-seeing", "F16", shape, vocabulary(VOCABULARY_SIZE))
    if architecture == "qwen2vl":
        metadata["qwen2vl.rope.dimension_sections"] = [4, 6, 6, 0]
    write_gguf(path, metadata, [_sharper(tensor) for tensor in tensors_of(decoder)])


def write_projector(path: Path, projector: Projector = "mlp") -> None:
    """Write a projector for the decoder; the same call gives the same bytes."""
    sense = "audio" if projector == "qwen2a" else "vision"
    sizes: dict[str, Value] = {
        "embedding_length": _SIGHT,
        "feed_forward_length": _SIGHT_FEED_FORWARD,
        "block_count": _SIGHT_LAYERS,
        "projection_dim": WIDTH,
        "attention.head_count": _SIGHT_HEADS,
        "attention.layer_norm_epsilon": 1e-5,
    }
    if sense == "vision":
        sizes |= {"image_size": _IMAGE, "patch_size": _PATCH, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
        sizes |= {"projector.scale_factor": 2} if projector == "gemma3" else {}
    else:
        sizes |= {"num_mel_bins": _MEL_BINS}
    metadata: dict[str, Value] = {
        "general.architecture": "clip",
        "general.file_type": 0,
        f"clip.has_{sense}_encoder": True,
        "clip.projector_type": projector,
        "clip.use_gelu": True,
        **{f"clip.{sense}.{key}": value for key, value in sizes.items()},
    }
    write_gguf(path, metadata, list(_hearing() if sense == "audio" else _seeing(projector)))


def png(seed: int, width: int = 64, height: int = 48) -> bytes:
    """Return a picture of large coloured fields."""
    fields = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    rows = np.arange(height) * 4 // height
    columns = np.arange(width) * 4 // width
    pixels = fields[rows][:, columns]
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(lines)), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def wav(seed: int, duration_s: float = 0.2) -> bytes:
    """Return a recording of a few tones."""
    times = np.arange(int(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    tones = np.random.default_rng(seed).uniform(100, 4000, 4)
    samples = sum(np.sin(2 * np.pi * tone * times) for tone in tones) / len(tones)
    content = io.BytesIO()
    with wave.open(content, "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(SAMPLE_RATE)
        stream.writeframes((np.asarray(samples) * 30_000).astype("<i2").tobytes())
    return content.getvalue()


def _sharper(tensor: Tensor) -> Tensor:
    """Return a matrix of attention with larger numbers, so that an answer depends on all that was shown."""
    if "attn_norm" in tensor.name or not (".attn_" in tensor.name and tensor.name.endswith(".weight")):
        return tensor
    return replace(tensor, chunks=lambda: [3 * chunk for chunk in tensor.chunks()])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _seeing(projector: Projector) -> Iterator[Tensor]:
    patch = (_SIGHT, 3, _PATCH, _PATCH)
    yield _random("v.patch_embd.weight", patch)
    if projector == "qwen2vl_merger":
        yield _random("v.patch_embd.weight.1", patch)
    else:
        yield _random("v.position_embd.weight", ((_IMAGE // _PATCH) ** 2, _SIGHT))
    yield from _layers("v", has_key_bias=True)
    yield from _norm("v.post_ln")
    if projector == "mlp":
        yield from _matrix("mm.0", WIDTH, _SIGHT)
        yield from _matrix("mm.2", WIDTH, WIDTH)
    elif projector == "qwen2vl_merger":
        yield from _matrix("mm.0", 4 * _SIGHT, 4 * _SIGHT)
        yield from _matrix("mm.2", WIDTH, 4 * _SIGHT)
    else:
        yield _random("mm.input_projection.weight", (_SIGHT, WIDTH))
        yield _random("mm.soft_emb_norm.weight", (_SIGHT,), mean=1.0)


def _hearing() -> Iterator[Tensor]:
    yield _random("a.conv1d.1.weight", (_SIGHT, _MEL_BINS, 3))
    yield _random("a.conv1d.1.bias", (_SIGHT, 1))
    yield _random("a.conv1d.2.weight", (_SIGHT, _SIGHT, 3))
    yield _random("a.conv1d.2.bias", (_SIGHT, 1))
    yield _random("a.position_embd.weight", (_MOST_FRAMES, _SIGHT))
    yield from _layers("a", has_key_bias=False)
    yield from _norm("a.post_ln")
    yield from _matrix("mm.a.fc", WIDTH, _SIGHT)


def _layers(prefix: str, *, has_key_bias: bool) -> Iterator[Tensor]:
    for layer in range(_SIGHT_LAYERS):
        block = f"{prefix}.blk.{layer}."
        yield from _norm(f"{block}ln1")
        yield from _norm(f"{block}ln2")
        for name in ("q", "v", "out"):
            yield from _matrix(f"{block}attn_{name}", _SIGHT, _SIGHT)
        yield _random(f"{block}attn_k.weight", (_SIGHT, _SIGHT))
        if has_key_bias:
            yield _random(f"{block}attn_k.bias", (_SIGHT,))
        yield from _matrix(f"{block}ffn_up", _SIGHT_FEED_FORWARD, _SIGHT)
        yield from _matrix(f"{block}ffn_down", _SIGHT, _SIGHT_FEED_FORWARD)


def _norm(name: str) -> Iterator[Tensor]:
    yield _random(f"{name}.weight", (_SIGHT,), mean=1.0)
    yield _random(f"{name}.bias", (_SIGHT,))


def _matrix(name: str, rows: int, columns: int) -> Iterator[Tensor]:
    yield _random(f"{name}.weight", (rows, columns))
    yield _random(f"{name}.bias", (rows,))


def _random(name: str, shape: tuple[int, ...], mean: float = 0.0) -> Tensor:
    return Tensor(
        name, shape, "F16" if ".conv1d." in name and len(shape) == 3 else "F32", partial(_values, name, shape, mean)
    )


def _values(name: str, shape: tuple[int, ...], mean: float) -> list[npt.NDArray[np.float32]]:
    random = np.random.default_rng(list(name.encode()))
    size = 0.1 if len(shape) == 1 else int(np.prod(shape[1:])) ** -0.5
    return [(mean + size * random.standard_normal(shape)).astype(np.float32)]
