"""Tiny graphs built in memory, on which a library or a device is tried out: a real model's operators, no weights."""

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

WIDTH = 64
_HEADS, _HEAD_WIDTH, _BLOCK = 2, 32, 32
_INTEGERS = 4  # the accuracy level
_MICROSOFT = "com.microsoft"
_OPSETS = (("", 21), (_MICROSOFT, 1))
_IR_VERSION = 10

Inputs = dict[str, npt.NDArray[np.float32] | npt.NDArray[np.int32]]


def packed_product(num_rows: int, num_columns: int, accuracy_level: int) -> bytes:
    """Return a model `y = x W` whose matrix is int4 in blocks of 32; `x` is `(any, num_rows)`."""
    node, tensors = _product("x", "y", num_rows, num_columns, accuracy_level)
    return _model([node], [_value("x", ["rows", num_rows])], [_value("y", ["rows", num_columns])], tensors)


def decoder() -> tuple[bytes, Inputs]:
    """Return one layer of a decoder, a packed matrix and attention over a cache, and the inputs of its first token."""
    product, tensors = _product("x", "qkv", WIDTH, 3 * WIDTH, _INTEGERS)
    attention = helper.make_node(
        "GroupQueryAttention",
        ["qkv", "", "", "past_key", "past_value", "last", "total"],
        ["y", "present_key", "present_value"],
        domain=_MICROSOFT,
        num_heads=_HEADS,
        kv_num_heads=_HEADS,
    )
    cache = [1, _HEADS, "tokens", _HEAD_WIDTH]
    inputs = [_value("x", [1, 1, WIDTH]), _value("past_key", cache), _value("past_value", cache)]
    inputs.append(helper.make_tensor_value_info("last", TensorProto.INT32, [1]))
    inputs.append(helper.make_tensor_value_info("total", TensorProto.INT32, []))
    outputs = [_value("y", [1, 1, WIDTH]), _value("present_key", cache), _value("present_value", cache)]
    empty = np.zeros((1, _HEADS, 0, _HEAD_WIDTH), np.float32)
    return _model([product, attention], inputs, outputs, tensors), {
        "x": np.ones((1, 1, WIDTH), np.float32),
        "past_key": empty,
        "past_value": empty,
        "last": np.zeros(1, np.int32),
        "total": np.ones((), np.int32),
    }


def encoder() -> tuple[bytes, Inputs]:
    """Return a float matrix and a normalization, which every encoder is made of, and the inputs of one token."""
    matrix = np.eye(WIDTH, dtype=np.float32)[::-1].copy()
    nodes = [
        helper.make_node("MatMul", ["x", "matrix"], ["hidden"]),
        helper.make_node("LayerNormalization", ["hidden", "scale"], ["y"]),
    ]
    model = _model(
        nodes,
        [_value("x", [1, 1, WIDTH])],
        [_value("y", [1, 1, WIDTH])],
        [numpy_helper.from_array(matrix, "matrix"), numpy_helper.from_array(np.ones(WIDTH, np.float32), "scale")],
    )
    return model, {"x": np.arange(WIDTH, dtype=np.float32).reshape(1, 1, WIDTH)}


def _product(values: str, result: str, num_rows: int, num_columns: int, accuracy_level: int) -> tuple[Any, list[Any]]:
    num_blocks = num_rows // _BLOCK
    random = np.random.default_rng(0)
    packed = random.integers(0, 256, (num_columns, num_blocks, _BLOCK // 2), np.uint8)
    scales = np.full((num_columns, num_blocks), num_rows**-0.5 / 4, np.float32)
    node = helper.make_node(
        "MatMulNBits",
        [values, "packed", "scales"],
        [result],
        domain=_MICROSOFT,
        K=num_rows,
        N=num_columns,
        bits=4,
        block_size=_BLOCK,
        accuracy_level=accuracy_level,
    )
    return node, [numpy_helper.from_array(packed, "packed"), numpy_helper.from_array(scales, "scales")]


def _value(name: str, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _model(nodes: list[Any], inputs: list[Any], outputs: list[Any], tensors: list[Any]) -> bytes:
    graph = helper.make_graph(nodes, "trial", inputs, outputs, tensors)
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION).SerializeToString())
