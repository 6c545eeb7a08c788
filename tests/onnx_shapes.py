"""Write tiny ONNX models with random weights, in the form and the folders that exporters leave: no torch is needed.

Decoders are Qwen2's in miniature as onnxruntime-genai's builder writes them, encoders are BERT's. Their text is noise.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import onnx
from onnx import TensorProto
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tests.onnx_graph_writer import GraphWriter, Weights
from tests.shapes import vocabulary as words_of

LAYERS, WIDTH, HEADS, KV_HEADS, HEAD_WIDTH, FEED_FORWARD, CONTEXT = 2, 128, 4, 2, 32, 256, 1024
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_GRAPH_SUFFIXES = {"int4": "q4", "int8": "q8", "dynamic": "quantized", "f32": ""}
_NORM = {"epsilon": 1e-6}
_MICROSOFT = "com.microsoft"


def write_decoder(
    folder: Path,
    *,
    weights: Weights = "int4",
    block_size: int = 32,
    layout: Literal["genai", "transformers.js"] = "genai",
    seed: int = 0,
    position_ids: bool = False,
    vocabulary: int = 512,
    external: bool = True,
) -> Path:
    """Write a model folder and return the path of its graph; `external` weights lie in a file beside it."""
    model = decoder_model(
        weights=weights, block_size=block_size, seed=seed, position_ids=position_ids, vocabulary=vocabulary
    )
    folder.mkdir(parents=True, exist_ok=True)
    if layout == "genai":
        graph, data_suffix = folder / "model.onnx", ".data"
        _write_json(folder / "genai_config.json", _genai_config(vocabulary))
    else:
        suffix = _GRAPH_SUFFIXES[weights]
        graph, data_suffix = folder / "onnx" / f"model{suffix and '_'}{suffix}.onnx", "_data"
        _write_json(folder / "config.json", _transformers_config(vocabulary))
    write_tokenizer(folder, vocabulary)
    return save(model, graph, data_suffix if external else None)


def save(model: Any, path: Path, data_suffix: str | None = ".data") -> Path:
    """Write an `onnx.ModelProto`; with a suffix its weights go into the file of that name beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)  # saving weights outside empties the model
    data = path.with_name(path.name + data_suffix) if data_suffix else None
    if data is not None:
        data.unlink(missing_ok=True)  # the library appends to a file that is there
    onnx.save(copy, path, save_as_external_data=data is not None, location=data.name if data else None)
    return path


def decoder_model(
    *,
    weights: Weights = "int4",
    block_size: int = 32,
    seed: int = 0,
    position_ids: bool = False,
    vocabulary: int = 512,
) -> Any:
    """Return a decoder's `onnx.ModelProto` with all weights inside."""
    graph = GraphWriter(weights, block_size, seed)
    graph.input("input_ids", TensorProto.INT64, ["batch_size", "sequence_length"])
    graph.input("attention_mask", TensorProto.INT64, ["batch_size", "total_sequence_length"])
    if position_ids:
        graph.input("position_ids", TensorProto.INT64, ["batch_size", "sequence_length"])
    lengths = _lengths_of_mask(graph)
    angles = np.arange(CONTEXT)[:, None] / 1e4 ** (np.arange(HEAD_WIDTH // 2) * 2 / HEAD_WIDTH)
    graph.constant("cos_cache", np.cos(angles).astype(np.float32))
    graph.constant("sin_cache", np.sin(angles).astype(np.float32))
    hidden = graph.add("Gather", [graph.random("embedding", (vocabulary, WIDTH), 1.0), "input_ids"])
    for layer in range(LAYERS):
        normed = graph.add("SimplifiedLayerNormalization", [hidden, graph.ones(WIDTH)], axis=-1, **_NORM)
        attended = _attention(graph, normed, layer, lengths, position_ids)
        projected = graph.linear(attended, WIDTH, WIDTH)
        normed, _, _, hidden = graph.add_many(
            "SkipSimplifiedLayerNormalization", [hidden, projected, graph.ones(WIDTH)], 4, _MICROSOFT, **_NORM
        )
        gate, up = graph.linear(normed, WIDTH, FEED_FORWARD), graph.linear(normed, WIDTH, FEED_FORWARD)
        swish = graph.add("Mul", [gate, graph.add("Sigmoid", [gate])])
        hidden = graph.add("Add", [hidden, graph.linear(graph.add("Mul", [swish, up]), FEED_FORWARD, WIDTH)])
    final = graph.add("SimplifiedLayerNormalization", [hidden, graph.ones(WIDTH)], axis=-1, **_NORM)
    graph.linear(final, WIDTH, vocabulary, output="logits")
    graph.output("logits", TensorProto.FLOAT, ["batch_size", "sequence_length", vocabulary])
    return graph.model()


def _lengths_of_mask(graph: GraphWriter) -> Sequence[str]:
    """Return each row's last position and the length of the longest, as the builder makes them of the mask."""
    summed = graph.add("ReduceSum", ["attention_mask", graph.integers([1])], keepdims=0)
    last = graph.add("Cast", [graph.add("Sub", [summed, graph.integers([1])])], to=TensorProto.INT32)
    longest = graph.add("Gather", [graph.add("Shape", ["attention_mask"]), graph.integers(1)], axis=0)
    return last, graph.add("Cast", [longest], to=TensorProto.INT32)


def _attention(graph: GraphWriter, normed: str, layer: int, lengths: Sequence[str], position_ids: bool) -> str:
    kv_width = KV_HEADS * HEAD_WIDTH
    shape: list[str | int] = ["batch_size", KV_HEADS, "past_sequence_length", HEAD_WIDTH]
    past = [f"past_key_values.{layer}.{part}" for part in ("key", "value")]
    present = [f"present.{layer}.{part}" for part in ("key", "value")]
    for name in past:
        graph.input(name, TensorProto.FLOAT, shape)
    for name in present:
        graph.output(name, TensorProto.FLOAT, shape)
    packed = graph.linear(normed, WIDTH, WIDTH + 2 * kv_width)
    if position_ids:
        parts = graph.add_many("Split", [packed, graph.integers([WIDTH, kv_width, kv_width])], 3, axis=-1)
        angles = ["position_ids", "cos_cache", "sin_cache"]
        query, key = (graph.add("RotaryEmbedding", [part, *angles], _MICROSOFT) for part in parts[:2])
        inputs = [query, key, parts[2], *past, *lengths]
    else:
        inputs = [packed, "", "", *past, *lengths, "cos_cache", "sin_cache"]
    return graph.add_many(
        "GroupQueryAttention",
        inputs,
        [f"attention_{layer}", *present],
        _MICROSOFT,
        num_heads=HEADS,
        kv_num_heads=KV_HEADS,
        do_rotary=int(not position_ids),
        scale=HEAD_WIDTH**-0.5,
    )[0]


def write_encoder(folder: Path, *, seed: int = 0, vocabulary: int = 512, layers: int = 2) -> Path:
    """Write a folder as sentence-transformers keeps it and return the path of its graph, `onnx/model.onnx`."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": WIDTH,
        "intermediate_size": FEED_FORWARD,
        "max_position_embeddings": CONTEXT,
        "num_attention_heads": HEADS,
        "num_hidden_layers": layers,
        "vocab_size": vocabulary,
        "pad_token_id": 0,
    }
    pooling = {"word_embedding_dimension": WIDTH, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    _write_json(folder / "config.json", config)
    _write_json(folder / "modules.json", modules)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": 256, "do_lower_case": False})
    _write_json(folder / "1_Pooling" / "config.json", pooling)
    write_tokenizer(folder, vocabulary)
    return save(encoder_model(seed=seed, vocabulary=vocabulary, layers=layers), folder / "onnx" / "model.onnx", None)


def encoder_model(*, seed: int = 0, vocabulary: int = 512, layers: int = 2) -> Any:
    """Return an encoder's `onnx.ModelProto` in standard operators; its output is (batch, tokens, width)."""
    graph = GraphWriter("f32", 32, seed)
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        graph.input(name, TensorProto.INT64, ["batch_size", "sequence_length"])
    mask = graph.add("Cast", ["attention_mask"], to=TensorProto.FLOAT)
    absent = graph.add("Sub", [graph.floats(1.0), graph.add("Unsqueeze", [mask, graph.integers([1, 2])])])
    bias = graph.add("Mul", [absent, graph.floats(-1e9)])
    length = graph.add("Gather", [graph.add("Shape", ["input_ids"]), graph.integers(1)], axis=0)
    positions = graph.add("Range", [graph.integers(0), length, graph.integers(1)])
    hidden = graph.add("Gather", [graph.random("word_embedding", (vocabulary, WIDTH), 1.0), "input_ids"])
    for name, rows, indices in (("type", 2, "token_type_ids"), ("position", CONTEXT, positions)):
        table = graph.random(f"{name}_embedding", (rows, WIDTH), 0.3)
        hidden = graph.add("Add", [hidden, graph.add("Gather", [table, indices])])
    hidden = _norm(graph, hidden)
    for _ in range(layers):
        hidden = _norm(graph, graph.add("Add", [hidden, _full_attention(graph, hidden, bias)]))
        inner = graph.add("Relu", [graph.linear(hidden, WIDTH, FEED_FORWARD)])
        hidden = _norm(graph, graph.add("Add", [hidden, graph.linear(inner, FEED_FORWARD, WIDTH)]))
    graph.add_many("Identity", [hidden], ["last_hidden_state"])
    graph.output("last_hidden_state", TensorProto.FLOAT, ["batch_size", "sequence_length", WIDTH])
    return graph.model()


def _norm(graph: GraphWriter, hidden: str) -> str:
    zeros = graph.floats([0.0] * WIDTH)
    return graph.add("LayerNormalization", [hidden, graph.ones(WIDTH), zeros], axis=-1, epsilon=1e-12)


def _full_attention(graph: GraphWriter, hidden: str, bias: str) -> str:
    shape = graph.integers([0, 0, HEADS, WIDTH // HEADS])
    query, key, value = (
        graph.add(
            "Transpose",
            [graph.add("Reshape", [graph.linear(hidden, WIDTH, WIDTH), shape])],
            perm=[0, 2, order, 3 + 1 - order],
        )
        for order in (1, 3, 1)
    )
    scores = graph.add("Mul", [graph.add("MatMul", [query, key]), graph.floats((WIDTH // HEADS) ** -0.5)])
    weights = graph.add("Softmax", [graph.add("Add", [scores, bias])], axis=-1)
    mixed = graph.add("Transpose", [graph.add("MatMul", [weights, value])], perm=[0, 2, 1, 3])
    return graph.linear(graph.add("Reshape", [mixed, graph.integers([0, 0, WIDTH])]), WIDTH, WIDTH)


def _genai_config(vocabulary: int) -> dict[str, Any]:
    parts = {"past_key_names": "past_key_values.%d.key", "past_value_names": "past_key_values.%d.value"}
    decoder = {
        "filename": "model.onnx",
        "head_size": HEAD_WIDTH,
        "hidden_size": WIDTH,
        "inputs": {"input_ids": "input_ids", "attention_mask": "attention_mask", **parts},
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": KV_HEADS,
    }
    ids = {"bos_token_id": None, "eos_token_id": [vocabulary - 1, vocabulary - 3], "pad_token_id": vocabulary - 3}
    return {"model": {"type": "qwen2", "context_length": CONTEXT, "vocab_size": vocabulary, "decoder": decoder, **ids}}


def _transformers_config(vocabulary: int) -> dict[str, Any]:
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": WIDTH,
        "intermediate_size": FEED_FORWARD,
        "max_position_embeddings": CONTEXT,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": KV_HEADS,
        "vocab_size": vocabulary,
        "eos_token_id": [vocabulary - 1, vocabulary - 3],
    }


def write_tokenizer(folder: Path, vocabulary: int) -> None:
    """Write a byte-level vocabulary: bytes, words, then `<|endoftext|>`, `<|im_start|>` and `<|im_end|>`."""
    words = words_of(vocabulary)
    tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(words.tokens)}, list(words.merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(words.tokens[-3:]))
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"eos_token": "<|im_end|>", "bos_token": None, "chat_template": CHAT_TEMPLATE}
    _write_json(folder / "tokenizer_config.json", {"tokenizer_class": "Qwen2Tokenizer", **settings})


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content)))
