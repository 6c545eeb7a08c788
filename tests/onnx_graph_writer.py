"""Put an ONNX graph together node by node, with random weights in the type that is asked for."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, helper, numpy_helper

Weights = Literal["f32", "int4", "int8", "dynamic"]
_MICROSOFT = "com.microsoft"
_BITS = {"int4": 4, "int8": 8}


class GraphWriter:
    """Nodes, tensors, inputs and outputs so far. Values are numbered; `linear` layers have the type of the weights."""

    def __init__(self, weights: Weights, block_size: int, seed: int) -> None:
        self._weights, self._block_size = weights, block_size
        self._random = np.random.default_rng(seed)
        self._nodes: list[Any] = []
        self._tensors: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, kind: int, shape: Sequence[str | int]) -> None:
        """Declare an input of the graph."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))

    def output(self, name: str, kind: int, shape: Sequence[str | int]) -> None:
        """Declare an output of the graph."""
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def add(self, operator: str, inputs: Sequence[str], domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return that output's name."""
        return self.add_many(operator, inputs, 1, domain, **attributes)[0]

    def add_many(
        self, operator: str, inputs: Sequence[str], outputs: int | list[str], domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with outputs of these names, or so many, and return their names."""
        name = f"/{operator}_{len(self._nodes)}"
        names = outputs if isinstance(outputs, list) else [f"{name}/output_{index}" for index in range(outputs)]
        self._nodes.append(helper.make_node(operator, inputs, names, name, domain=domain, **attributes))
        return names

    def constant(self, name: str, values: npt.NDArray[Any]) -> str:
        """Add a tensor and return its name."""
        self._tensors.append(numpy_helper.from_array(values, name))
        return name

    def integers(self, values: int | list[int]) -> str:
        """Add a small tensor of 64-bit integers."""
        return self.constant(f"integers_{len(self._tensors)}", np.array(values, np.int64))

    def floats(self, values: float | list[float]) -> str:
        """Add a small tensor of floats."""
        return self.constant(f"floats_{len(self._tensors)}", np.array(values, np.float32))

    def ones(self, width: int) -> str:
        """Add the weight of a norm."""
        return self.constant(f"ones_{len(self._tensors)}", np.ones(width, np.float32))

    def random(self, name: str, shape: tuple[int, ...], scale: float) -> str:
        """Add a tensor of normally distributed floats."""
        return self.constant(name, self._random.standard_normal(shape, np.float32) * np.float32(scale))

    def linear(self, values: str, rows: int, columns: int, output: str | None = None) -> str:
        """Multiply by a random matrix (rows, columns) that keeps the scale of what it is given."""
        name = f"weight_{len(self._tensors)}"
        matrix = self._random.standard_normal((rows, columns), np.float32) * np.float32(rows**-0.5)
        result: int | list[str] = [output] if output else 1
        if self._weights == "f32":
            return self.add_many("MatMul", [values, self.constant(name, matrix)], result)[0]
        if self._weights == "dynamic":
            return self._dynamic(values, name, matrix, result)
        bits = _BITS[self._weights]
        packed, scales = _in_blocks(matrix, bits, self._block_size)
        return self.add_many(
            "MatMulNBits",
            [values, self.constant(f"{name}_Q", packed), self.constant(f"{name}_scales", scales)],
            result,
            _MICROSOFT,
            K=rows,
            N=columns,
            bits=bits,
            block_size=self._block_size,
            accuracy_level=4,
        )[0]

    def model(self) -> ModelProto:
        """Return all of it as a model."""
        graph = helper.make_graph(self._nodes, "tiny", self._inputs, self._outputs, self._tensors)
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid(_MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def _dynamic(self, values: str, name: str, matrix: npt.NDArray[np.float32], result: int | list[str]) -> str:
        """Multiply in integers; the scale of the activations is that of the whole batch, as quantize_dynamic does."""
        scale = float(np.abs(matrix).max() / 127)
        weight = self.constant(f"{name}_quantized", np.rint(matrix / scale).astype(np.int8))
        integers, activation_scale, zero_point = self.add_many("DynamicQuantizeLinear", [values], 3)
        product = self.add("MatMulInteger", [integers, weight, zero_point])
        scales = self.add("Mul", [activation_scale, self.floats(scale)])
        return self.add_many("Mul", [self.add("Cast", [product], to=TensorProto.FLOAT), scales], result)[0]


def _in_blocks(
    matrix: npt.NDArray[np.float32], bits: int, block_size: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Return a matrix (K, N) as (N, num_blocks, bytes) and a scale for each block; zero is half the range.

    Source: ONNX Runtime, docs/ContribOperators.md, com.microsoft.MatMulNBits.
    """
    blocks = np.ascontiguousarray(matrix.T).reshape(matrix.shape[1], -1, block_size)
    half = 1 << (bits - 1)
    scales = np.abs(blocks).max(axis=-1) / np.float32(half - 1)
    levels = (np.rint(blocks / scales[..., None]) + half).astype(np.uint8)
    return (levels if bits == 8 else levels[..., ::2] | levels[..., 1::2] << 4), scales
