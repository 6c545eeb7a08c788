"""A GGUF file as the kernels see it: the shape of its decoder, and its tensors as weights in 4 or 8 bits.

Q4_0 and Q8_0 are taken code by code; anything else is read as numbers and quantized to 8 bits. What the kernels cannot
compute exactly is refused with its reason, never approximated.
Source: the GGUF specification; llama.cpp, ggml-quants.c for the blocks, convert_hf_to_gguf.py for the order of Q and K.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from appliance.backends.tvm.source import NotServable, RopeTable, check_shape, check_tensors, piece_rows, rows_of
from kernels.quantization import GROUP, Bits, FloatArray, Weights, quantize_weights
from kernels.shape import DecoderShape, Heads
from models.formats.gguf import GGUFError, GGUFFile, TensorInfo, read_gguf

_ARCHITECTURES = {"llama": "pairs", "qwen2": "halves", "qwen3": "halves"}
"""Which numbers of a head turn together: neighbours, or those that stand half a head apart."""

_BITS: dict[str, Bits] = {"Q4_0": 4}
_FREQUENCIES = "rope_freqs.weight"


class GgufSource:
    """An open file. Raises: NotServable, OSError."""

    def __init__(self, path: Path, bits: Bits = 8) -> None:
        """`bits` are those of the layers' matrices that are not taken code by code."""
        self._quantized_bits = bits
        try:
            self._file = read_gguf(path)
        except GGUFError as error:
            raise NotServable(f"{path}: {error}") from error
        self._keys = _Keys(self._file)
        self._tensors = {tensor.name: tensor for tensor in self._file.tensors}
        self._content = np.memmap(path, np.uint8, mode="r")
        self._pairs_turn = _ARCHITECTURES.get(self._keys.architecture) == "pairs"
        self.shape = self._read_shape()
        self.rope = self._read_rope()

    def tensor(self, name: str) -> FloatArray:
        """Return a small tensor as float32."""
        tensor = self._described(name)
        return self._numbers(tensor, self._bytes(tensor).reshape(*tensor.shape[:-1], -1)).reshape(tensor.shape)

    def has(self, name: str) -> bool:
        """Return whether the file has a tensor of that name."""
        return name in self._tensors

    @property
    def is_exact(self) -> bool:
        """Whether all matrices are of the types that are taken code by code."""
        return all(tensor.type in _EXACT for tensor in self._tensors.values() if len(tensor.shape) > 1)

    def pieces(self, name: str, bits: Bits) -> Iterator[Weights]:
        """Yield a matrix in codes, some rows at a time."""
        tensor = self._described(name)
        is_turned = self._pairs_turn and name.endswith(("attn_q.weight", "attn_k.weight"))
        content = self._bytes(tensor).reshape(tensor.shape[0], -1)
        num_rows = piece_rows(tensor.shape[1], self.shape.heads.size)
        for start in range(0, len(content), num_rows):
            weights = self._weights(tensor, content[start : start + num_rows], bits)
            yield _with_halves(weights, self.shape.heads.size) if is_turned else weights

    def _weights(self, tensor: TensorInfo, rows: npt.NDArray[np.uint8], bits: Bits) -> Weights:
        exact = _EXACT.get(tensor.type)
        if exact is not None and self._bits_of(tensor) == bits:
            return exact(rows, (len(rows), tensor.shape[1]))
        return quantize_weights(self._numbers(tensor, rows), bits)

    def _numbers(self, tensor: TensorInfo, rows: npt.NDArray[np.uint8]) -> FloatArray:
        """Return rows of a tensor, given in bytes, as float32."""
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize

        try:
            numbers: FloatArray = dequantize(rows, GGMLQuantizationType[tensor.type]).astype(np.float32)
        except (KeyError, NotImplementedError):
            raise NotServable(f"tensor {tensor.name!r} is {tensor.type}, which cannot be read") from None
        return numbers

    def _bytes(self, tensor: TensorInfo) -> npt.NDArray[np.uint8]:
        return self._content[tensor.offset_bytes : tensor.offset_bytes + tensor.size_bytes]

    def _described(self, name: str) -> TensorInfo:
        if name not in self._tensors:
            raise NotServable(f"the file has no tensor {name!r}")
        return self._tensors[name]

    def _read_shape(self) -> DecoderShape:
        keys = self._keys
        if keys.architecture not in _ARCHITECTURES:
            raise NotServable(f"our kernels do not compute the architecture {keys.architecture!r} yet")
        width, num_heads = keys.number("embedding_length"), keys.number("attention.head_count")
        epsilon = keys.real("attention.layer_norm_rms_epsilon")
        size = keys.number("attention.key_length", width // max(1, num_heads))
        heads = Heads(
            num_queries=num_heads,
            num_kv=keys.number("attention.head_count_kv", num_heads),
            size=size,
            has_bias=self.has("blk.0.attn_q.bias"),
            norm_epsilon=epsilon if self.has("blk.0.attn_q_norm.weight") else None,
        )
        shape = DecoderShape(
            width=width,
            feed_forward=keys.number("feed_forward_length"),
            heads=heads,
            vocab_size=rows_of(self._described("token_embd.weight").shape),
            norm_epsilon=epsilon,
            layers=tuple(self._layer_bits(layer) for layer in range(keys.number("block_count"))),
            head_bits=self._shared_bits(("output.weight" if self.has("output.weight") else "token_embd.weight",)),
            embedding_bits=self._shared_bits(("token_embd.weight",)) if self.has("output.weight") else None,
        )
        self._check(shape)
        return shape

    def _layer_bits(self, layer: int) -> tuple[Bits, Bits, Bits, Bits]:
        block = f"blk.{layer}."
        qkv = tuple(f"{block}attn_{name}.weight" for name in "qkv")
        return (
            self._shared_bits(qkv),
            self._shared_bits((f"{block}attn_output.weight",)),
            self._shared_bits((f"{block}ffn_gate.weight", f"{block}ffn_up.weight")),
            self._shared_bits((f"{block}ffn_down.weight",)),
        )

    def _shared_bits(self, names: tuple[str, ...]) -> Bits:
        return max(self._bits_of(self._described(name)) for name in names)

    def _bits_of(self, tensor: TensorInfo) -> Bits:
        is_free = tensor.type not in _EXACT and tensor.name.startswith("blk.")
        return self._quantized_bits if is_free else _BITS.get(tensor.type, 8)

    def _check(self, shape: DecoderShape) -> None:
        keys, heads = self._keys, shape.heads
        if keys.number("expert_count", 0):
            raise NotServable("our kernels do not compute mixtures of experts yet")
        if keys.number("attention.value_length", heads.size) != heads.size:
            raise NotServable("keys and values have different lengths")
        if keys.number("rope.dimension_count", heads.size) != heads.size:
            raise NotServable("only a part of each head turns with its position")
        if heads.has_bias and self._pairs_turn:
            raise NotServable("its queries have a bias and turn in neighbouring pairs")
        check_shape(shape)
        check_tensors(shape, {each.name: each.shape for each in self._tensors.values() if each.name != _FREQUENCIES})

    def _read_rope(self) -> RopeTable:
        keys, size = self._keys, self.shape.heads.size
        context_tokens = keys.number("context_length")
        window = keys.number("attention.sliding_window", 0)
        if 0 < window < context_tokens:
            raise NotServable(f"its layers see only a window of {window} tokens, which our kernels do not compute yet")
        scaling = keys.text("rope.scaling.type", "none")
        if scaling not in ("none", "linear"):
            raise NotServable(f"its rotary embedding is scaled by {scaling!r}, which our kernels do not compute yet")
        frequencies = keys.real("rope.freq_base", 10_000.0) ** (-np.arange(0, size, 2, dtype=np.float64) / size)
        if scaling == "linear":
            frequencies /= keys.real("rope.scaling.factor", 1.0)
        if self.has(_FREQUENCIES):
            frequencies /= self.tensor(_FREQUENCIES).astype(np.float64)
        return RopeTable(frequencies, context_tokens)


class _Keys:
    """Metadata of the architecture."""

    def __init__(self, file: GGUFFile) -> None:
        self._metadata: Mapping[str, object] = file.metadata
        self.architecture = str(self._metadata.get("general.architecture"))

    def number(self, key: str, default: int | None = None) -> int:
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise NotServable(f"{self.architecture}.{key} is {value!r}, not one whole number for all layers")
        return value

    def real(self, key: str, default: float | None = None) -> float:
        value = self._value(key, default)
        if not isinstance(value, int | float) or value <= 0:
            raise NotServable(f"{self.architecture}.{key} is {value!r}, not a positive number")
        return float(value)

    def text(self, key: str, default: str) -> str:
        return str(self._metadata.get(f"{self.architecture}.{key}", default))

    def _value(self, key: str, default: object) -> object:
        value = self._metadata.get(f"{self.architecture}.{key}", default)
        if value is None:
            raise NotServable(f"the file does not say its {self.architecture}.{key}")
        return value


def _q4_0(content: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> Weights:
    """Blocks of a scale and 16 bytes: element i in the low half of byte i, element i + 16 in its high half."""
    blocks = content.reshape(-1, 18)
    halves = (blocks[:, 2:] & 0x0F, blocks[:, 2:] >> 4)
    codes = np.concatenate(halves, axis=1).astype(np.int8) - np.int8(8)
    return Weights(codes.reshape(shape), _scales(blocks, shape))


def _q8_0(content: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> Weights:
    """Blocks of a scale and 32 codes."""
    blocks = content.reshape(-1, 34)
    return Weights(blocks[:, 2:].view(np.int8).reshape(shape), _scales(blocks, shape))


def _scales(blocks: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.float16]:
    return np.ascontiguousarray(blocks[:, :2]).view(np.float16).reshape(shape[0], shape[1] // GROUP)


_EXACT: dict[str, Callable[[npt.NDArray[np.uint8], tuple[int, ...]], Weights]] = {"Q4_0": _q4_0, "Q8_0": _q8_0}


def _with_halves(weights: Weights, head_size: int) -> Weights:
    """Return rows in the order of halves where the file has neighbours: pair i of a head is (i, size / 2 + i)."""
    pairs = np.arange(len(weights.codes)).reshape(-1, head_size // 2, 2)
    order = pairs.transpose(0, 2, 1).reshape(-1)
    return Weights(weights.codes[order], weights.scales[order])
