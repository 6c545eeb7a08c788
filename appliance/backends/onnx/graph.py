"""From a decoder's graph as exporters write it to the one that serves: the only place that edits a graph.

An exported graph takes an attention mask and returns logits for every token. For batches of sequences of different
lengths it is given each row's length instead, and rows are selected before the output layer. Weights stay where they
are: only their names in the file change.

Source: ONNX Runtime, docs/ContribOperators.md, com.microsoft.GroupQueryAttention.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from appliance.backends.onnx.graph_names import OUTPUT_INDICES, SEQLENS, TOTAL
from appliance.backends.onnx.graph_view import attribute_of, drop_unused, fixed_size, inputs_of, tensors_in
from appliance.backends.onnx.layout import DecoderLayout, KvLayer
from appliance.backends.onnx.output_layer import select_rows
from appliance.backends.onnx.tuning import tune

_ATTENTION = "GroupQueryAttention"
_PAST_KEY, _PAST_VALUE, _SEQLENS, _TOTAL = 3, 4, 5, 6  # inputs of GroupQueryAttention
_INTEGER_PRODUCTS = ("MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QLinearMatMul")


class NotServable(Exception):
    """The graph lacks something that serving needs; `missing` names all of it."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__("; ".join(missing))
        self.missing = missing


def prepare_decoder(model: Any, head_width: int | None) -> DecoderLayout:
    """Turn an exported decoder (`onnx.ModelProto`, weights not loaded) into one that serves, and describe it.

    `head_width` is that of keys and values by the model's configuration, for graphs that leave it open.
    Raises: NotServable, with everything that is missing; the model is then half changed and of no more use.
    """
    graph = model.graph
    attentions = [node for node in graph.node if node.op_type == _ATTENTION]
    if not attentions:
        raise NotServable((_no_attention(graph),))
    missing: list[str] = []
    layers = tuple(_kv_layers(graph, attentions, head_width, missing))
    pasts = {node.input[index] for node in attentions for index in (_PAST_KEY, _PAST_VALUE)}
    _replace_mask(graph, attentions)
    vocab_size = select_rows(graph, missing)
    drop_unused(graph)
    inputs = set(inputs_of(graph))
    if "attention_mask" in inputs:
        missing.append("the attention mask is used for more than the lengths of the rows")
    unknown = inputs - {"input_ids", "attention_mask", "position_ids", SEQLENS, TOTAL, OUTPUT_INDICES} - pasts
    missing += [f"the input {name!r} has no meaning here" for name in sorted(unknown)]
    if missing:
        raise NotServable(tuple(dict.fromkeys(missing)))
    notes = tune(graph)
    del graph.value_info[:]  # shapes as they were before the changes
    return DecoderLayout(
        layers=layers,
        vocab_size=vocab_size,
        has_position_ids="position_ids" in inputs,
        weight_type=weight_type(graph),
        is_batch_invariant=_is_batch_invariant(graph),
        notes=notes,
    )


def move_weights(model: Any, resolve: Callable[[str], Path]) -> Path | None:
    """Point every external tensor at the real file behind its location and return the folder of those files.

    The library refuses links, and caches are full of them. Raises: NotServable, when files lie in several folders.
    """
    folders = set()
    for tensor in tensors_in(model.graph):
        for entry in tensor.external_data:
            if entry.key == "location":
                path = resolve(entry.value)
                entry.value = path.name
                folders.add(path.parent)
    if len(folders) > 1:
        raise NotServable((f"the weights lie in {len(folders)} folders; they must lie in one",))
    return folders.pop() if folders else None


def read_graph(path: Path) -> Any:
    """Return the `onnx.ModelProto` of a file without its external weights. Raises: NotServable, if it is none."""
    try:
        return onnx.load(str(path), load_external_data=False)
    except Exception as error:  # the protobuf library has no error of its own that is public
        raise NotServable((f"{path} is not an ONNX file, or not all of it: {error}",)) from None


def _no_attention(graph: Any) -> str:
    operators = {node.op_type for node in graph.node}
    if "Concat" in operators and any("past" in name for name in inputs_of(graph)):
        return f"no {_ATTENTION} nodes: the key-value cache grows by Concat nodes, which copy all of it each step"
    return f"no {_ATTENTION} nodes, which keep the key-value cache: it is no decoder, or its exporter knows none"


def _kv_layers(graph: Any, attentions: list[Any], head_width: int | None, missing: list[str]) -> Iterator[KvLayer]:
    inputs = inputs_of(graph)
    outputs = {value.name for value in graph.output}
    for node in attentions:
        past_key, past_value = node.input[_PAST_KEY], node.input[_PAST_VALUE]
        presents = list(node.output[1:3])
        if not (past_key in inputs and past_value in inputs and len(presents) == 2 and set(presents) <= outputs):
            missing.append(f"{node.name}: its keys and values are not inputs and outputs of the graph")
            continue
        tensor_type = inputs[past_key].type.tensor_type
        dims = tensor_type.shape.dim
        heads = fixed_size(dims[1]) or attribute_of(node, "kv_num_heads")
        width = fixed_size(dims[3]) or head_width
        if tensor_type.elem_type != TensorProto.FLOAT:
            name = TensorProto.DataType.Name(tensor_type.elem_type).lower()
            missing.append(f"the key-value cache is {name}: on a processor it must be float (32 bits)")
        elif heads is None or width is None:
            missing.append(f"{past_key}: the number of heads or their width is not fixed")
        else:
            yield KvLayer(
                past_key=past_key,
                past_value=past_value,
                present_key=presents[0],
                present_value=presents[1],
                num_heads=heads,
                head_width=width,
            )


def _replace_mask(graph: Any, attentions: list[Any]) -> None:
    """Feed each row's length to attention directly; the nodes that made it of a mask are then of no use."""
    for node in attentions:
        node.input[_SEQLENS], node.input[_TOTAL] = SEQLENS, TOTAL
    graph.input.append(helper.make_tensor_value_info(SEQLENS, TensorProto.INT32, ["batch_size"]))
    graph.input.append(helper.make_tensor_value_info(TOTAL, TensorProto.INT32, []))


def _is_batch_invariant(graph: Any) -> bool:
    """Return whether a row comes out the same alone and among others.

    Measured on x86-64 with VNNI: float, and int4 in blocks of 32 multiplied as integers (accuracy level 4), do, bit by
    bit. Blocks of 128 differ in the last digits, and activations quantized over the whole batch depend on neighbours.
    """
    products = [node for node in graph.node if node.op_type == "MatMulNBits"]
    kinds = {tuple(attribute_of(node, name) for name in ("bits", "block_size", "accuracy_level")) for node in products}
    return kinds <= {(4, 32, 4)} and not any(node.op_type in _INTEGER_PRODUCTS for node in graph.node)


def weight_type(graph: Any) -> str:
    """Return the quantization of most matrices: `int4`, `int8` or `F32`."""
    bits = [attribute_of(node, "bits") for node in graph.node if node.op_type == "MatMulNBits"]
    if bits:
        return f"int{max(sorted(set(bits)), key=bits.count)}"
    return "int8" if any(node.op_type in _INTEGER_PRODUCTS for node in graph.node) else "F32"
