"""What a decoder of the Llama family is made of, and every array that it is computed from. Plain values."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .packing import BLOCK, STEP_BYTES, num_steps, padded
from .quantization import GROUP, Bits

LayerMatrix = Literal["qkv", "output", "gate_up", "down"]
Matrix = Literal[LayerMatrix, "head", "embedding"]
LAYER_MATRICES: tuple[LayerMatrix, ...] = ("qkv", "output", "gate_up", "down")

MAX_STEP_TOKENS = 512
MAX_STEP_OUTPUTS = 64
"""The largest step that memory is planned for."""


@dataclass(frozen=True, slots=True)
class Heads:
    """The shape of attention: `num_queries` heads in groups that share one of `num_kv` heads of `size` numbers.

    `norm_epsilon` is that of the norm on each head of queries and keys, None where there is none.
    """

    num_queries: int
    num_kv: int
    size: int
    has_bias: bool = False
    norm_epsilon: float | None = None

    @property
    def width(self) -> int:
        """Numbers that queries, keys and values of a token take together."""
        return (self.num_queries + 2 * self.num_kv) * self.size

    @property
    def attended(self) -> int:
        """Numbers that attention gives for a token."""
        return self.num_queries * self.size

    @property
    def group(self) -> int:
        """Query heads that share a head of keys and values."""
        return self.num_queries // self.num_kv


class MatrixShape(NamedTuple):
    """What a product's kernel depends on; outputs are whole blocks."""

    num_outputs: int
    num_inputs: int
    bits: Bits


@dataclass(frozen=True, slots=True)
class DecoderShape:
    """A decoder. `layers` holds the bits of each layer's matrices, in the order of `LAYER_MATRICES`.

    `embedding_bits` None: the rows of the head are the embedding, too.
    """

    width: int
    feed_forward: int
    heads: Heads
    vocab_size: int
    norm_epsilon: float
    layers: tuple[tuple[Bits, Bits, Bits, Bits], ...]
    head_bits: Bits
    embedding_bits: Bits | None = None

    def matrix(self, name: Matrix, layer: int | None = None) -> MatrixShape:
        """Return the shape of a matrix, its outputs rounded up to whole blocks."""
        if name == "head":
            return MatrixShape(padded(self.vocab_size), self.width, self.head_bits)
        if name == "embedding":
            assert self.embedding_bits is not None
            return MatrixShape(padded(self.vocab_size), self.width, self.embedding_bits)
        assert layer is not None
        bits = self.layers[layer][LAYER_MATRICES.index(name)]
        return {
            "qkv": MatrixShape(self.heads.width, self.width, bits),
            "output": MatrixShape(self.width, self.heads.attended, bits),
            "gate_up": MatrixShape(2 * self.feed_forward, self.width, bits),
            "down": MatrixShape(self.width, self.feed_forward, bits),
        }[name]

    def products(self) -> list[MatrixShape]:
        """Return the different shapes of all matrices that something is multiplied by, the head's last."""
        shapes = (self.matrix(name, layer) for layer in range(len(self.layers)) for name in LAYER_MATRICES)
        return list(dict.fromkeys((*shapes, self.matrix("head"))))


class WeightSpec(NamedTuple):
    """One array. `layer` None: it stands outside the layers."""

    name: str
    layer: int | None
    shape: tuple[int, ...]
    dtype: Literal["uint8", "float16", "float32"]


def weight_specs(shape: DecoderShape) -> list[WeightSpec]:
    """Return every array of a model, in the order in which it is stored and given to `step`."""
    specs: list[WeightSpec] = []
    if shape.embedding_bits is not None:
        specs += matrix_specs(shape, "embedding")
    for layer in range(len(shape.layers)):
        specs.append(WeightSpec("attention_norm", layer, (shape.width,), "float32"))
        specs += matrix_specs(shape, "qkv", layer)
        specs.append(WeightSpec("qkv_bias", layer, (shape.heads.width,), "float32"))
        specs.append(WeightSpec("head_norms", layer, (2, shape.heads.size), "float32"))
        specs += matrix_specs(shape, "output", layer)
        specs.append(WeightSpec("feed_forward_norm", layer, (shape.width,), "float32"))
        specs += matrix_specs(shape, "gate_up", layer)
        specs += matrix_specs(shape, "down", layer)
    specs.append(WeightSpec("final_norm", None, (shape.width,), "float32"))
    specs += matrix_specs(shape, "head")
    return specs


def matrix_specs(shape: DecoderShape, name: Matrix, layer: int | None = None) -> Iterator[WeightSpec]:
    """Return the two arrays of a packed matrix."""
    num_outputs, num_inputs, bits = shape.matrix(name, layer)
    blocks, groups = num_outputs // BLOCK, num_inputs // GROUP
    yield WeightSpec(f"{name}_codes", layer, (blocks, groups, num_steps(bits), STEP_BYTES), "uint8")
    yield WeightSpec(f"{name}_scales", layer, (blocks, groups, BLOCK), "float16")
