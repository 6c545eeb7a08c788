"""What an encoder's graph takes and gives. Unlike a decoder's it is served as it is."""

from pathlib import Path
from typing import Any

import msgspec
from onnx import TensorProto

from appliance.backends.onnx.graph import NotServable, weight_type
from appliance.backends.onnx.graph_view import fixed_size, inputs_of
from appliance.backends.onnx.layout import EncoderLayout
from models.formats.encoder_config import read_encoder_config
from models.formats.folder_config import config_folder, read_folder_config
from models.manifest import ModelDetails

_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
# The names that exporters give to one vector for each text, the best first: a pooler's output is none of these.
_VECTORS = ("sentence_embedding", "text_embeds", "embedding", "embeddings")
_STATES = ("last_hidden_state", "token_embeddings")
_LOGITS = "logits"
_VECTOR_RANK, _STATES_RANK = 2, 3
# These take one scale for the whole tensor of activations, so that each row depends on all others.
_WHOLE_TENSOR = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "QAttention")


def is_encoder(model: Any) -> bool:
    """Return whether a graph (`onnx.ModelProto`) has neither a key-value cache nor logits for each token."""
    graph = model.graph
    if any("past" in name for name in inputs_of(graph)):
        return False
    logits = next((value for value in graph.output if value.name == _LOGITS), None)
    return logits is None or _rank(logits) != _STATES_RANK


def describe_encoder(model: Any) -> EncoderLayout:
    """Return what is known of the graph. Raises: NotServable, with everything that is missing."""
    graph = model.graph
    inputs = inputs_of(graph)
    missing = [f"the input {name!r} has no meaning here" for name in sorted(set(inputs) - set(_INPUTS))]
    if "input_ids" not in inputs:
        missing.append("there is no input 'input_ids'")
    output = _output(graph)
    if output is None:
        names = ", ".join(value.name for value in graph.output)
        missing.append(f"none of the outputs {names} is an embedding, the states of tokens, or logits")
    elif output.type.tensor_type.elem_type != TensorProto.FLOAT:
        missing.append(f"the output {output.name!r} is not float (32 bits): the file is made for another device")
    if missing or output is None:
        raise NotServable(tuple(missing))
    dims = output.type.tensor_type.shape.dim
    return EncoderLayout(
        inputs=tuple(name for name in _INPUTS if name in inputs),
        has_short_integers=inputs["input_ids"].type.tensor_type.elem_type == TensorProto.INT32,
        output=output.name,
        is_pooled=output.name == _LOGITS or _rank(output) == _VECTOR_RANK,
        has_labels=output.name == _LOGITS,
        width=fixed_size(dims[-1]) if dims else None,
        weight_type=weight_type(graph),
        is_batch_invariant=not any(node.op_type in _WHOLE_TENSOR for node in graph.node),
    )


def encoder_details(model: Any, graph: Path, details: ModelDetails) -> ModelDetails:
    """Return `details` with what makes the model in the file `graph` an encoder. Raises: NotServable."""
    layout, folder = describe_encoder(model), config_folder(graph)
    config = read_encoder_config(folder)
    if config.unsupported and not layout.is_pooled:
        raise NotServable(config.unsupported)
    return msgspec.structs.replace(
        details,
        quantization=layout.weight_type,
        context_length_tokens=config.max_tokens,
        vocab_size=read_folder_config(folder).vocab_size,
        is_embedding=not layout.has_labels,
        num_labels=(layout.width or len(config.labels) or None) if layout.has_labels else None,
        has_chat_template=False,
    )


def _output(graph: Any) -> Any:
    """Return the output that serves: logits, else one vector for each text, else the states of its tokens."""
    by_name = {value.name: value for value in graph.output}
    for name in (_LOGITS, *_VECTORS, *_STATES):
        if name in by_name:
            return by_name[name]
    return next((value for value in graph.output if _rank(value) == _STATES_RANK), None)


def _rank(value: Any) -> int:
    return len(value.type.tensor_type.shape.dim)
