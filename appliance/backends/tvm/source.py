"""What our kernels need of a model's files, whatever their format. Tensors are called as in GGUF files.

A source gives numbers and codes; how they lie in memory is the business of `kernels.packing`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from kernels.quantization import GROUP, Bits, FloatArray, Weights
from kernels.shape import DecoderShape

_LANES = 16
_PIECE_NUMBERS = 2**22
"""So many numbers of a matrix are in memory at a time, in several forms of up to four bytes each."""


class NotServable(Exception):
    """The kernels cannot run this model; the message says why."""


@dataclass(frozen=True, slots=True)
class RopeTable:
    """How fast each pair of a head turns, `(head_size / 2,) float64`, and up to which position the model was made."""

    frequencies: npt.NDArray[np.float64]
    context_tokens: int


class Source(Protocol):
    """An open model. What cannot be read or computed raises NotServable."""

    @property
    def shape(self) -> DecoderShape:
        """What the decoder is made of, with the bits that each matrix is kept in."""

    @property
    def rope(self) -> RopeTable:
        """How heads turn."""

    @property
    def is_exact(self) -> bool:
        """Whether all matrices are taken code by code."""

    def has(self, name: str) -> bool:
        """Return whether the model has a tensor of that name."""

    def tensor(self, name: str) -> FloatArray:
        """Return a small tensor as float32."""

    def pieces(self, name: str, bits: Bits) -> Iterator[Weights]:
        """Yield a matrix in codes, from its first row on: whole heads, whole blocks of rows, the rest at last.

        Pairs of a head stand half a head apart.
        """


def whole(pieces: Iterable[Weights]) -> Weights:
    """Return pieces as one matrix."""
    listed = list(pieces)
    return Weights(np.concatenate([each.codes for each in listed]), np.concatenate([each.scales for each in listed]))


def piece_rows(num_inputs: int, head_size: int) -> int:
    """Return how many rows a piece has: whole heads, which are whole blocks."""
    return max(1, _PIECE_NUMBERS // num_inputs // head_size) * head_size


def rows_of(shape: tuple[int, ...]) -> int:
    """Return the first dimension, before anybody has looked whether there is one."""
    return shape[0] if shape else 0


def check_shape(shape: DecoderShape) -> None:
    """Refuse what does not divide into the kernels' groups and vectors. Raises: NotServable."""
    heads = shape.heads
    if not heads.num_kv or heads.num_queries % heads.num_kv:
        raise NotServable("the heads do not divide into groups")
    for what, size, multiple in (
        ("width", shape.width, GROUP),
        ("feed-forward width", shape.feed_forward, GROUP),
        ("head", heads.size, 2 * _LANES),
        ("attention width", heads.attended, GROUP),
        ("vocabulary", shape.vocab_size, 1),
    ):
        if not size or size % multiple:
            raise NotServable(f"its {what} of {size} is no multiple of {multiple}")


def check_tensors(shape: DecoderShape, found: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse a model without one of its tensors, and with one that nothing would be computed with.

    Raises: NotServable.
    """
    expected = dict(_tensors(shape))
    for name, size in expected.items():
        if name not in found:
            raise NotServable(f"it has no tensor {name!r}")
        if found[name] != size:
            raise NotServable(f"its tensor {name!r} has the shape {found[name]} instead of {size}")
    if unknown := sorted(found.keys() - expected.keys()):
        raise NotServable(f"our kernels do not know what its tensor {unknown[0]!r} is for ({len(unknown)} such)")


def _tensors(shape: DecoderShape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield every tensor of a model with its shape, rows first."""
    heads, width, feed_forward = shape.heads, shape.width, shape.feed_forward
    yield "token_embd.weight", (shape.vocab_size, width)
    yield "output_norm.weight", (width,)
    if shape.embedding_bits is not None:
        yield "output.weight", (shape.vocab_size, width)
    for layer in range(len(shape.layers)):
        block = f"blk.{layer}."
        yield f"{block}attn_norm.weight", (width,)
        yield f"{block}ffn_norm.weight", (width,)
        for name, num_heads in (("q", heads.num_queries), ("k", heads.num_kv), ("v", heads.num_kv)):
            yield f"{block}attn_{name}.weight", (num_heads * heads.size, width)
            if heads.has_bias:
                yield f"{block}attn_{name}.bias", (num_heads * heads.size,)
            if heads.norm_epsilon is not None and name != "v":
                yield f"{block}attn_{name}_norm.weight", (heads.size,)
        yield f"{block}attn_output.weight", (width, heads.attended)
        yield f"{block}ffn_gate.weight", (feed_forward, width)
        yield f"{block}ffn_up.weight", (feed_forward, width)
        yield f"{block}ffn_down.weight", (width, feed_forward)
