"""Select rows of hidden states before a decoder's output layer, which holds a quarter of a small model's weights."""

from typing import Any

from onnx import TensorProto, helper

from appliance.backends.onnx.graph_names import OUTPUT_INDICES
from appliance.backends.onnx.graph_view import fixed_size, producers_in

_OUTPUT_LAYERS = frozenset(("MatMul", "FusedMatMul", "MatMulNBits", "MatMulInteger", "MatMulIntegerToFloat"))
_OUTPUT_LAYERS |= {"DynamicQuantizeMatMul", "QLinearMatMul"}
# What may stand between the output layer and the logits: biases, scales, soft caps, casts.
_AFTER_OUTPUT = frozenset(("Add", "Cast", "Div", "Identity", "Mul", "Reshape", "Tanh", "Where", "DequantizeLinear"))
_QUANTIZERS = ("DynamicQuantizeLinear", "QuantizeLinear")
_SELECTORS = ("Gather", "GatherND", "Slice")
_SELECTED = "selected_hidden"


def select_rows(graph: Any, missing: list[str]) -> int:
    """Insert the selection and return the size of the vocabulary; what stands in the way is added to `missing`."""
    output = next((value for value in graph.output if value.name == "logits"), None)
    if output is None:
        missing.append("there is no output 'logits'")
        return 0
    if output.type.tensor_type.elem_type != TensorProto.FLOAT:
        missing.append("the logits are not float (32 bits): the file is made for another device")
    layers = _output_layers(graph)
    if len(layers) != 1:
        what = " and ".join(sorted(node.op_type for node in layers)) or _producer_text(graph)
        missing.append(f"the output layer is not known: the logits come from {what}")
        return 0
    _insert_gather(graph, layers[0], missing)
    sizes = output.type.tensor_type.shape.dim
    vocab_size = fixed_size(sizes[-1]) if sizes else None
    if vocab_size is None:
        missing.append("the size of the vocabulary is not fixed")
        return 0
    shape: list[int | str | None] = ["batch_size", "num_outputs", vocab_size]
    output.CopyFrom(helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape))
    return vocab_size


def _output_layers(graph: Any) -> list[Any]:
    """Return the matrix products that the logits come from, through what may follow one."""
    producers = producers_in(graph)
    found: list[Any] = []
    names = ["logits"]
    while names:
        node = producers.get(names.pop())
        if node is None:
            continue
        if node.op_type in _OUTPUT_LAYERS:
            if node not in found:
                found.append(node)
        elif node.op_type in _AFTER_OUTPUT:
            names += node.input
    return found


def _producer_text(graph: Any) -> str:
    producer = producers_in(graph).get("logits")
    return f"a {producer.op_type}" if producer is not None else "nowhere"


def _insert_gather(graph: Any, layer: Any, missing: list[str]) -> None:
    producers = producers_in(graph)
    quantizer = producers.get(layer.input[0])
    reader = quantizer if quantizer is not None and quantizer.op_type in _QUANTIZERS else layer
    hidden = reader.input[0]
    before = producers.get(hidden)
    if before is not None and before.op_type in ("Unsqueeze", "Reshape"):
        chosen = producers.get(before.input[0])
        if chosen is not None and chosen.op_type in _SELECTORS:
            before = chosen
        elif before.op_type == "Reshape":
            missing.append("the hidden states are reshaped before the output layer")
    if before is not None and before.op_type in _SELECTORS:
        hidden = before.input[0]  # the exporter kept the last row only; ours takes its place
    gather = helper.make_node("Gather", [hidden, OUTPUT_INDICES], [_SELECTED], axis=1, name="/select_outputs")
    reader.input[0] = _SELECTED
    graph.node.insert(list(graph.node).index(reader), gather)
    graph.input.append(helper.make_tensor_value_info(OUTPUT_INDICES, TensorProto.INT64, ["num_outputs"]))
