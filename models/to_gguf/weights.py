"""The tensors of a folder as those of a GGUF file: which there are, their order within a head, and their types.

They are read a few rows at a time, so that a model of any size is converted in the memory of a small one.

Source: llama.cpp, convert_hf_to_gguf.py for the permutation.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from models.formats.float_tensors import FLOAT_TYPES, as_float32
from models.formats.gguf_writer import Tensor
from models.formats.quantize import Floats
from models.formats.safetensors import SafetensorsError
from models.formats.safetensors_files import StoredTensor, bytes_by_type, read_tensors, weight_files
from models.formats.tensor_names import NOT_LEARNED, OUTPUT, gguf_name
from models.to_gguf.network import Network
from models.to_gguf.refusal import NotConvertible

PRECISIONS = ("F32", "F16", "BF16")
_CHUNK_VALUES = 4 * 2**20
_LARGEST_F16 = 65504.0
_FREQUENCIES = "rope_freqs.weight"

Shape = tuple[int, ...]


def read_stored(folder: Path) -> dict[str, StoredTensor]:
    """Return all tensors of a folder by name. Raises: NotConvertible."""
    try:
        return read_tensors(weight_files(folder))
    except FileNotFoundError:
        raise NotConvertible(f"{folder} has no weights in safetensors; other formats can run programs") from None
    except (SafetensorsError, OSError) as error:
        raise NotConvertible(f"its weights are damaged or not all there: {error}") from None


def own_precision(stored: Mapping[str, StoredTensor]) -> str:
    """Return the type that loses nothing of what most of the weights are made of."""
    sizes = bytes_by_type(tensor for _, tensor in stored.values())
    largest = max(sizes, key=lambda dtype: sizes[dtype], default="F32")
    return largest if largest in PRECISIONS else "F32"


def gguf_tensors(network: Network, stored: Mapping[str, StoredTensor], precision: str) -> list[Tensor]:
    """Return the tensors to write, in the order of the network. Raises: NotConvertible, naming what does not fit."""
    wanted = _required(network) | {name: shape for name, shape in _biases(network).items() if name in stored}
    if network.is_tied:
        del wanted[OUTPUT]
    _check(wanted, stored, network)
    tensors = [_tensor(name, stored[name], network, precision) for name in wanted]
    factors = network.rope.factors
    if factors is not None:
        tensors.insert(1, Tensor(_FREQUENCIES, factors.shape, "F32", lambda: [factors]))
    return tensors


def _required(network: Network) -> dict[str, Shape]:
    """Return what every network of the family has, by Hugging Face's names."""
    width, heads_width = network.width, network.num_heads * network.head_width
    kv_width, feed_forward = network.num_kv_heads * network.head_width, network.feed_forward
    shapes: dict[str, Shape] = {"model.embed_tokens.weight": (network.vocab_size, width)}
    for layer in range(network.num_layers):
        parts: dict[str, Shape] = {
            "input_layernorm.weight": (width,),
            "self_attn.q_proj.weight": (heads_width, width),
            "self_attn.k_proj.weight": (kv_width, width),
            "self_attn.v_proj.weight": (kv_width, width),
            "self_attn.o_proj.weight": (width, heads_width),
            "post_attention_layernorm.weight": (width,),
            "mlp.gate_proj.weight": (feed_forward, width),
            "mlp.up_proj.weight": (feed_forward, width),
            "mlp.down_proj.weight": (width, feed_forward),
        }
        if network.architecture == "qwen3":
            parts |= {f"self_attn.{each}_norm.weight": (network.head_width,) for each in "qk"}
        shapes |= {f"model.layers.{layer}.{part}": shape for part, shape in parts.items()}
    return {**shapes, "model.norm.weight": (width,), OUTPUT: (network.vocab_size, width)}


def _biases(network: Network) -> dict[str, Shape]:
    """Return the biases that some networks have."""
    rows = {name: shape[0] for name, shape in _required(network).items() if len(shape) > 1 and ".self_attn." in name}
    return {name.removesuffix("weight") + "bias": (num_rows,) for name, num_rows in rows.items()}


def _check(wanted: Mapping[str, Shape], stored: Mapping[str, StoredTensor], network: Network) -> None:
    for name, shape in wanted.items():
        if name not in stored:
            raise NotConvertible(f"the folder lacks the tensor {name!r}; a download may be incomplete")
        _, info = stored[name]
        if info.shape != shape:
            raise NotConvertible(f"tensor {name!r} is of the shape {info.shape}, the configuration says {shape}")
        if info.dtype not in FLOAT_TYPES:
            raise NotConvertible(f"tensor {name!r} is of the type {info.dtype}; float weights are needed")
    known = {*wanted, *([OUTPUT] if network.is_tied else [])}  # a tied output may be stored all the same
    unknown = [name for name in stored if name not in known and not name.endswith(NOT_LEARNED)]
    if unknown:
        raise NotConvertible(f"the folder has tensors that its architecture does not know, such as {unknown[0]!r}")


def _tensor(name: str, stored: StoredTensor, network: Network, precision: str) -> Tensor:
    shape, named = stored[1].shape, gguf_name(name)
    assert named is not None, "the names of a network are all known"
    tensor_type = precision if len(shape) > 1 else "F32"
    part = name.split(".")[-2]
    is_permuted = network.is_permuted and part in ("q_proj", "k_proj")

    def chunks() -> Iterator[Floats]:
        for values in _rows(stored, network.head_width if is_permuted else 1):
            if tensor_type == "F16":
                _check_range(name, values)
            yield permuted(values, network.head_width) if is_permuted else values

    return Tensor(named, shape, tensor_type, chunks)


def _rows(stored: StoredTensor, group_rows: int) -> Iterator[Floats]:
    """Yield the tensor some rows at a time, a multiple of `group_rows` of them."""
    path, info = stored
    row_shape = info.shape[1:]
    row_values = math.prod(row_shape)
    step = max(_CHUNK_VALUES // (row_values * group_rows), 1) * group_rows
    value_bytes = info.size_bytes // math.prod(info.shape)
    with path.open("rb") as stream:
        stream.seek(info.offset_bytes)
        for begin in range(0, info.shape[0], step):
            num_rows = min(step, info.shape[0] - begin)
            data = stream.read(num_rows * row_values * value_bytes)
            if len(data) < num_rows * row_values * value_bytes:
                raise NotConvertible(f"{path} became shorter while it was read")
            yield as_float32(np.frombuffer(data, np.uint8), info.dtype).reshape(num_rows, *row_shape)


def permuted(values: Floats, head_width: int) -> Floats:
    """Put the two halves of each head's rotary pairs side by side, as the architecture `llama` of GGUF has them."""
    halves = values.reshape(-1, 2, head_width // 2, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape)


def _check_range(name: str, values: Floats) -> None:
    if float(np.abs(values).max(initial=0.0)) > _LARGEST_F16:
        raise NotConvertible(f"tensor {name!r} has numbers that are too large for F16; choose BF16")
