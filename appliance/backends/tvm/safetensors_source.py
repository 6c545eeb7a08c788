"""A Hugging Face folder as the kernels see it: weights in floats, quantized a piece at a time as they are read.

What the kernels cannot compute exactly is refused with its reason, never approximated.
Source: transformers, the models and configurations of Llama, Mistral, Qwen2 and Qwen3.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from appliance.backends.tvm.rope_scaling import rope_frequencies
from appliance.backends.tvm.source import NotServable, RopeTable, check_shape, check_tensors, piece_rows, rows_of
from kernels.quantization import Bits, FloatArray, Weights, quantize_weights
from kernels.shape import DecoderShape, Heads
from models.formats.float_tensors import FLOAT_TYPES, as_float32
from models.formats.folder_config import config_folder
from models.formats.safetensors import SafetensorsError
from models.formats.safetensors_files import StoredTensor, read_tensors, weight_files
from models.formats.tensor_names import NOT_LEARNED, OUTPUT, gguf_name

_FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
_HEAD_SIZES = {"qwen3": 128}
"""Where the configuration need not say it and it is not the width's share."""

_Count = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class _Config(msgspec.Struct, frozen=True):
    """The fields of `config.json` that change what is computed."""

    model_type: str
    hidden_size: _Count
    intermediate_size: _Count
    num_hidden_layers: Annotated[int, msgspec.Meta(ge=1, le=9999)]
    num_attention_heads: _Count
    max_position_embeddings: _Count
    num_key_value_heads: _Count | None = None
    head_dim: _Count | None = None
    rms_norm_eps: float = 1e-6
    hidden_act: str = "silu"
    tie_word_embeddings: bool | None = None
    rope_theta: float | None = None
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None
    partial_rotary_factor: float | None = None
    sliding_window: int | None = None
    use_sliding_window: bool | None = None
    layer_types: list[str] | None = None
    quantization_config: dict[str, Any] | None = None


class SafetensorsSource:
    """An open folder; `path` is one of its files. Raises: NotServable, OSError."""

    is_exact = False

    def __init__(self, path: Path, bits: Bits = 8) -> None:
        """`bits` are those of the layers' matrices; embedding and head have 8."""
        self._bits = bits
        folder = config_folder(path)
        config = _read_config(folder)
        try:
            found = read_tensors(weight_files(folder))
        except SafetensorsError as error:
            raise NotServable(f"{folder}: {error}") from error
        self._tensors = _renamed(found, is_tied=config.tie_word_embeddings is True)
        self._content = {file: np.memmap(file, np.uint8, mode="r") for file, _ in self._tensors.values()}
        self.shape = self._read_shape(config)
        base, scaling = config.rope_theta, config.rope_parameters or config.rope_scaling
        frequencies = rope_frequencies(self.shape.heads.size, base, scaling)
        self.rope = RopeTable(frequencies, config.max_position_embeddings)

    def has(self, name: str) -> bool:
        """Return whether the model has a tensor of that name."""
        return name in self._tensors

    def tensor(self, name: str) -> FloatArray:
        """Return a small tensor as float32."""
        _, tensor = self._tensors[name]
        return as_float32(self._bytes(name), tensor.dtype).reshape(tensor.shape)

    def pieces(self, name: str, bits: Bits) -> Iterator[Weights]:
        """Yield a matrix in codes, some rows at a time."""
        _, tensor = self._tensors[name]
        rows = self._bytes(name).reshape(tensor.shape[0], -1)
        num_rows = piece_rows(tensor.shape[1], self.shape.heads.size)
        for start in range(0, len(rows), num_rows):
            part = rows[start : start + num_rows]
            yield quantize_weights(as_float32(part.reshape(-1), tensor.dtype).reshape(len(part), -1), bits)

    def _bytes(self, name: str) -> npt.NDArray[np.uint8]:
        file, tensor = self._tensors[name]
        return self._content[file][tensor.offset_bytes : tensor.offset_bytes + tensor.size_bytes]

    def _read_shape(self, config: _Config) -> DecoderShape:
        if not self.has("token_embd.weight"):
            raise NotServable("it has no tensor 'model.embed_tokens.weight'")
        if config.tie_word_embeddings is False and not self.has("output.weight"):
            raise NotServable("it has no tensor 'lm_head.weight', and its embedding is not the head")
        num_heads = config.num_attention_heads
        has_norms = self.has("blk.0.attn_q_norm.weight")
        shape = DecoderShape(
            width=config.hidden_size,
            feed_forward=config.intermediate_size,
            heads=Heads(
                num_queries=num_heads,
                num_kv=config.num_key_value_heads or num_heads,
                size=config.head_dim or _HEAD_SIZES.get(config.model_type, config.hidden_size // num_heads),
                has_bias=self.has("blk.0.attn_q.bias"),
                norm_epsilon=config.rms_norm_eps if has_norms else None,
            ),
            vocab_size=rows_of(self._tensors["token_embd.weight"][1].shape),
            norm_epsilon=config.rms_norm_eps,
            layers=((self._bits,) * 4,) * config.num_hidden_layers,
            head_bits=8,
            embedding_bits=8 if self.has("output.weight") else None,
        )
        check_shape(shape)
        check_tensors(shape, {name: tensor.shape for name, (_, tensor) in self._tensors.items()})
        return shape


def _read_config(folder: Path) -> _Config:
    try:
        config = msgspec.json.decode((folder / "config.json").read_bytes(), type=_Config)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotServable(f"its config.json cannot be used: {error}") from None
    if config.model_type not in _FAMILIES:
        raise NotServable(f"our kernels do not compute the architecture {config.model_type!r} yet")
    if config.quantization_config:
        method = config.quantization_config.get("quant_method")
        raise NotServable(f"its weights are quantized by {method!r}, which our kernels do not read")
    if config.hidden_act not in ("silu", "swish"):
        raise NotServable(f"our kernels do not compute the activation {config.hidden_act!r}")
    if not 0 < config.rms_norm_eps < 1:
        raise NotServable(f"its rms_norm_eps is {config.rms_norm_eps}")
    if config.partial_rotary_factor not in (None, 1.0):
        raise NotServable("only a part of each head turns with its position")
    _check_window(config)
    return config


def _check_window(config: _Config) -> None:
    """Refuse layers that see only a part. Qwen's window counts where it is switched on, Mistral's where it is given."""
    is_on = config.use_sliding_window is not False or "sliding_attention" in (config.layer_types or ())
    if is_on and config.sliding_window and config.sliding_window < config.max_position_embeddings:
        window = config.sliding_window
        raise NotServable(f"its layers see only a window of {window} tokens, which our kernels do not compute yet")


def _renamed(found: Mapping[str, StoredTensor], *, is_tied: bool) -> dict[str, StoredTensor]:
    """Return tensors by the names that they would have in a GGUF file; what is unknown keeps its own."""
    renamed: dict[str, StoredTensor] = {}
    for name, place in found.items():
        if name.endswith(NOT_LEARNED) or (is_tied and name == OUTPUT):
            continue
        if place[1].dtype not in FLOAT_TYPES:
            raise NotServable(f"its tensor {name!r} is {place[1].dtype}, not a float of 16 bits or more")
        renamed[gguf_name(name) or name] = place
    return renamed
