"""What a graph and the configuration beside it say of a model, in the words of a manifest."""

import math
from pathlib import Path
from typing import Any

from onnx import helper

from models.formats.folder_config import FolderConfig, config_folder, read_chat_template
from models.manifest import ModelDetails

_ROTATIONS = slice(7, 9)  # inputs of GroupQueryAttention: tables of cosines and sines, which nobody learned
# Matrices in blocks of few bits: the real shape stands in the attributes, the tensors hold packed bits and scales.
_PACKED_MATRIX, _PACKED_TABLE = "MatMulNBits", "GatherBlockQuantized"


def read_details(model: Any, graph: Path, config: FolderConfig, weights_bytes: int) -> ModelDetails:
    """Return the details of the decoder `model` (`onnx.ModelProto` without weights) that `graph` is the file of."""
    return ModelDetails(
        architecture=config.architecture,
        num_parameters=num_parameters(model.graph),
        weights_bytes=weights_bytes,
        context_length_tokens=config.context_length_tokens,
        embedding_length=config.embedding_length,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        num_kv_heads=config.num_kv_heads,
        feed_forward_length=config.feed_forward_length,
        tokenizer="tokenizers",
        has_chat_template=read_chat_template(config_folder(graph)) is not None,
    )


def num_parameters(graph: Any) -> int:
    """Return how many weights the graph holds, however many bits each has."""
    shapes: dict[str, int] = {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}
    sizes: dict[str, int] = {}
    uncounted: set[str] = set()
    for node in graph.node:
        if node.op_type == "GroupQueryAttention":
            uncounted.update(node.input[_ROTATIONS])
        if node.op_type not in (_PACKED_MATRIX, _PACKED_TABLE):
            continue
        attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        is_matrix = node.op_type == _PACKED_MATRIX
        weights = node.input[1 if is_matrix else 0]
        uncounted.update(node.input[1:4] if is_matrix else (node.input[0], *node.input[2:4]))
        if is_matrix:
            sizes[weights] = attributes["K"] * attributes["N"]
        else:
            sizes.setdefault(weights, shapes.get(weights, 0) * 8 // attributes.get("bits", 4))
    return sum(sizes.values()) + sum(size for name, size in shapes.items() if name not in uncounted)
