"""The weight matrices of a float graph: where they are used, to which layer they belong, and their values.

Reading maps the file, so that a matrix is in memory only while it is worked on.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, numpy_helper

FloatArray = npt.NDArray[np.float32]

_LAYER = re.compile(r"layers?[./](\d+)(?=[./])")
_MIN_PRODUCT_VALUES = 32 * 32
_MIN_TABLE_TOKENS = 256  # smaller ones hold positions or kinds of token, and are not worth the loss


@dataclass(frozen=True, slots=True)
class Matrix:
    """A constant `(num_rows, num_columns)` that activations are multiplied by, or a table that tokens are looked up in.

    `layer` is None for the output layer and whatever else stands outside the layers. `product` is the MatMul, None for
    a table of its own; `lookup` is the Gather, or the Transpose and the Gather over the matrix of a product.
    """

    weight: str
    num_rows: int
    num_columns: int
    layer: int | None
    product: Any | None = None
    lookup: tuple[Any, ...] = ()

    @property
    def num_values(self) -> int:
        """Return how many weights these are."""
        return self.num_rows * self.num_columns


def find_matrices(model: Any) -> list[Matrix]:
    """Return the float matrices of the graph, in its order."""
    tensors = {
        tensor.name: tensor
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2
    }
    return [matrix for node in model.graph.node if (matrix := _matrix_of(model.graph, node, tensors)) is not None]


def _matrix_of(graph: Any, node: Any, tensors: dict[str, Any]) -> Matrix | None:
    if node.op_type == "MatMul" and node.input[1] in tensors:
        tensor = tensors[node.input[1]]
        num_rows, num_columns = tensor.dims
        if num_rows * num_columns < _MIN_PRODUCT_VALUES:
            return None
        layer = _layer_of(node.name)
        layer = _layer_of(tensor.name) if layer is None else layer
        lookup = tuple(_tied_lookup(graph, tensor.name))
        return Matrix(tensor.name, num_rows, num_columns, layer, product=node, lookup=lookup)
    if node.op_type == "Gather" and node.input[0] in tensors:
        tensor = tensors[node.input[0]]
        num_tokens, width = tensor.dims
        num_readers = sum(tensor.name in reader.input for reader in graph.node)
        if num_tokens >= _MIN_TABLE_TOKENS and num_readers == 1:
            return Matrix(tensor.name, width, num_tokens, None, lookup=(node,))
    return None


def _layer_of(name: str) -> int | None:
    match = _LAYER.search(name)
    return int(match.group(1)) if match else None


def _tied_lookup(graph: Any, weight: str) -> Iterator[Any]:
    """Yield the Transpose and the Gather that look tokens up in an output layer's matrix."""
    for node in graph.node:
        if node.op_type == "Transpose" and node.input[0] == weight:
            readers = [reader for reader in graph.node if node.output[0] in reader.input]
            if len(readers) == 1 and readers[0].op_type == "Gather":
                yield from (node, readers[0])


class Weights:
    """The values of a graph's initializers as it was read, wherever they lie."""

    def __init__(self, model: Any, folder: Path) -> None:
        self._folder = folder
        self._inside = {}
        self._outside = {}
        for tensor in model.graph.initializer:
            if tensor.data_location == TensorProto.EXTERNAL:
                entries = {entry.key: entry.value for entry in tensor.external_data}
                self._outside[tensor.name] = (entries, tuple(tensor.dims))
            else:
                self._inside[tensor.name] = tensor

    def floats(self, matrix: Matrix) -> FloatArray:
        """Return the values `(num_rows, num_columns)`, mapped from their file where they lie in one."""
        if matrix.weight in self._inside:
            values = np.asarray(numpy_helper.to_array(self._inside[matrix.weight]), np.float32)
        else:
            values = self._map(matrix.weight).view(np.float32).reshape(self._outside[matrix.weight][1])
        return values if matrix.product is not None else values.T

    def raw(self, name: str) -> npt.NDArray[np.uint8] | None:
        """Return the bytes of a tensor in a file of its own, None if they are in the graph."""
        return self._map(name) if name in self._outside else None

    def _map(self, name: str) -> npt.NDArray[np.uint8]:
        entries, _ = self._outside[name]
        path = (self._folder / entries["location"]).resolve(strict=True)
        offset = int(entries.get("offset", 0))
        length = int(entries.get("length", path.stat().st_size - offset))
        return np.memmap(path, np.uint8, "r", offset, (length,))
