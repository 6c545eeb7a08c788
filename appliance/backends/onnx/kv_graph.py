"""From a prepared decoder to the same one with keys and values of 8 bits: the graph alone, by scales it is given.

Source: ONNX Runtime, docs/ContribOperators.md, com.microsoft.GroupQueryAttention, `k_scale` and `k_quant_type`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from appliance.backends.onnx.layout import DecoderLayout

Scales = npt.NDArray[np.float32]
_PAST_KEY, _FIRST_SCALE = 3, 12  # inputs of GroupQueryAttention


def with_int8_cache(model: Any, layout: DecoderLayout, scales: Sequence[Scales]) -> DecoderLayout:
    """Change the prepared `onnx.ModelProto` and return its new layout.

    `scales` are those of the keys of layer 0, its values, the keys of layer 1 and so on, each `(num_heads,
    head_width)`: what one step of the 8-bit numbers stands for, in each channel.
    """
    names = {name for layer in layout.layers for name in msgspec.structs.astuple(layer)[:4]}
    for value in (*model.graph.input, *model.graph.output):
        if value.name in names:
            value.type.tensor_type.elem_type = TensorProto.INT8
    nodes = {node.input[_PAST_KEY]: node for node in model.graph.node if node.op_type == "GroupQueryAttention"}
    for index, layer in enumerate(layout.layers):
        node = nodes[layer.past_key]
        rest = list(node.input[_FIRST_SCALE + 2 :])
        kept = list(node.input[:_FIRST_SCALE])
        del node.input[:]
        node.input.extend(kept + [""] * (_FIRST_SCALE - len(kept)))
        for part, scale in zip(("key", "value"), scales[2 * index : 2 * index + 2], strict=True):
            name = f"kv_scale.{index}.{part}"
            model.graph.initializer.append(numpy_helper.from_array(scale[:, None, :].astype(np.float32), name))
            node.input.append(name)
        node.input.extend(rest)
        for name, value in (
            ("k_quant_type", "PER_CHANNEL"),
            ("v_quant_type", "PER_CHANNEL"),
            ("kv_cache_bit_width", 8),
        ):
            node.attribute.append(helper.make_attribute(name, value))
    return msgspec.structs.replace(layout, kv_type="int8")
