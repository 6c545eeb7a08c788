"""Weight-only quantization: matrices become MatMulNBits, a tied embedding reads the same packed values.

Works a matrix at a time, so that it needs little memory whatever the model's size. Activations stay float; the
kernels round them to 8 bits in blocks of their own (`accuracy_level` 4), which is what makes VNNI instructions of it.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from appliance.backends.onnx.matrices import Matrix, Weights
from appliance.backends.onnx.packing import Packed, Packing, pack

_INT8_ACTIVATIONS = 4
_DOMAIN = "com.microsoft"
_ALIGNMENT_BYTES = 4096  # tensors begin on pages, so that they can be mapped
_MAX_INLINE_BYTES = 1024


class Sink(Protocol):
    """Where the bytes of new tensors go."""

    def add(self, tensor: Any, content: Any) -> None:
        """Put `content` where the graph will find it and note the place in `tensor`."""


class InGraph:
    """Keeps tensors in the graph itself: for probes, whose other weights stay in the original's file."""

    def add(self, tensor: Any, content: Any) -> None:
        """Put the bytes into the tensor."""
        tensor.raw_data = content.tobytes()


class InFile:
    """Appends tensors to one file beside the graph, which knows it as `name`."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name

    def add(self, tensor: Any, content: Any) -> None:
        """Write the bytes at the next page and note the place."""
        offset = -(-self._stream.tell() // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
        self._stream.write(b"\0" * (offset - self._stream.tell()))
        self._stream.write(memoryview(content).cast("B"))
        if not tensor.HasField("raw_data"):
            tensor.raw_data = b""  # only a tensor with raw data may lie outside
        external_data_helper.set_external_data(tensor, self._name, offset, content.nbytes)
        tensor.ClearField("raw_data")


def quantize_matrices(
    model: Any,
    weights: Weights,
    matrices: Collection[tuple[Matrix, Packing]],
    sink: Sink,
    progress: Callable[[int], None],
) -> None:
    """Replace each matrix in the graph; `progress` is told the bytes of float weights done so far."""
    done_bytes = 0
    for matrix, packing in matrices:
        is_readable_table = matrix.num_rows % packing.block_size == 0  # a table has no room for a block's filling
        if matrix.product is not None or is_readable_table:
            packed = pack(weights.floats(matrix), packing)
            names = _add_tensors(model.graph, matrix, packed, packing, sink)
            if matrix.product is not None:
                _use_in_product(matrix, packing, names)
            if matrix.lookup and is_readable_table:
                _use_in_lookup(model.graph, matrix, packing, names)
        done_bytes += 4 * matrix.num_values
        progress(done_bytes)
    _drop_unused_tensors(model.graph)
    if not any(opset.domain == _DOMAIN for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))


def copy_others(model: Any, weights: Weights, new: Collection[str], sink: Sink) -> None:
    """Copy every tensor that is not `new` from where it lies into the sink, so that the graph stands alone."""
    for tensor in model.graph.initializer:
        content = None if tensor.name in new else weights.raw(tensor.name)
        if content is not None:
            del tensor.external_data[:]
            tensor.data_location = TensorProto.DEFAULT
            (InGraph() if content.nbytes <= _MAX_INLINE_BYTES else sink).add(tensor, content)


def write_quantized(
    model: Any,
    source_folder: Path,
    matrices: Collection[tuple[Matrix, Packing]],
    graph: Path,
    progress: Callable[[int], None],
) -> None:
    """Write the model with these matrices quantized as `graph`, and all of its weights as one file beside it."""
    weights = Weights(model, source_folder)
    before = {tensor.name for tensor in model.graph.initializer}
    data = graph.with_name(f"{graph.name}.data")
    with data.open("wb") as stream:
        sink = InFile(stream, data.name)
        quantize_matrices(model, weights, matrices, sink, progress)
        copy_others(model, weights, {tensor.name for tensor in model.graph.initializer} - before, sink)
    graph.write_bytes(model.SerializeToString())


def _add_tensors(graph: Any, matrix: Matrix, packed: Packed, packing: Packing, sink: Sink) -> list[str]:
    """Add the packed tensors and return their names as MatMulNBits takes them."""
    weights = packed.weights if matrix.product is not None else packed.weights.reshape(matrix.num_columns, -1)
    names = []
    for suffix, content in (
        (f"_Q{packing.bits}", weights),
        ("_scales", packed.scales),
        ("_zero_points", packed.zero_points),
    ):
        if content is not None:
            kind = TensorProto.FLOAT if content.dtype == np.float32 else TensorProto.UINT8
            tensor = TensorProto(name=matrix.weight + suffix, data_type=kind, dims=content.shape)
            sink.add(tensor, content)
            graph.initializer.append(tensor)
            names.append(tensor.name)
    return names


def _use_in_product(matrix: Matrix, packing: Packing, names: list[str]) -> None:
    node = matrix.product
    assert node is not None
    sizes = {"K": matrix.num_rows, "N": matrix.num_columns, "bits": packing.bits, "block_size": packing.block_size}
    _become(node, "MatMulNBits", [node.input[0], *names], {**sizes, "accuracy_level": _INT8_ACTIVATIONS})


def _use_in_lookup(graph: Any, matrix: Matrix, packing: Packing, names: list[str]) -> None:
    """Turn the Gather into GatherBlockQuantized, and the Transpose before it into a Reshape of the packed values."""
    *transpose, gather = matrix.lookup
    table, *rest = names
    for node in transpose:
        shape = np.array([matrix.num_columns, matrix.num_rows * packing.bits // 8], np.int64)
        shape_name = f"{table}_shape"
        graph.initializer.append(numpy_helper.from_array(shape, shape_name))
        _become(node, "Reshape", [table, shape_name], {}, domain="")
        table = node.output[0]
    sizes = {"bits": packing.bits, "block_size": packing.block_size, "gather_axis": 0, "quantize_axis": 1}
    _become(gather, "GatherBlockQuantized", [table, gather.input[1], *rest], sizes)


def _become(node: Any, operator: str, inputs: list[str], attributes: dict[str, int], domain: str = _DOMAIN) -> None:
    node.op_type, node.domain = operator, domain
    node.input[:] = inputs
    del node.attribute[:]
    node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())


def _drop_unused_tensors(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
