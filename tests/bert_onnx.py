"""The tiny BERT of `bert.py` as a folder with an ONNX graph, in the form that sentence-transformers exports."""

from pathlib import Path
from typing import Any, Literal

import msgspec
from onnx import TensorProto
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from tests.bert import CLS, SEP, VOCABULARY, Bert
from tests.onnx_graph_writer import GraphWriter
from tests.onnx_shapes import save


def write_bert_onnx(
    folder: Path,
    bert: Bert,
    *,
    pooling: Literal["mean", "cls", "last"] | None = "mean",
    is_normalized: bool = True,
    max_tokens: int | None = 40,
    prompts: dict[str, str] | None = None,
    model: Any = None,
) -> Path:
    """Write the folder and return the path of its graph; with pooling None there is only what transformers writes."""
    head = "BertForSequenceClassification" if bert.num_labels else "BertModel"
    config: dict[str, Any] = {"architectures": [head], "model_type": "bert", "hidden_size": bert.width}
    config |= {"max_position_embeddings": bert.max_tokens, "vocab_size": len(VOCABULARY), "pad_token_id": 0}
    config |= {"num_hidden_layers": bert.num_layers, "intermediate_size": bert.feed_forward}
    if bert.num_labels:
        config["id2label"] = {str(number): f"label {number}" for number in range(bert.num_labels)}
    _write_json(folder / "config.json", config)
    _write_tokenizer(folder / "tokenizer.json")
    if pooling is not None:
        steps = ["Transformer", "Pooling", *(["Normalize"] if is_normalized else [])]
        paths = ["", "1_Pooling", "2_Normalize"]
        modules = [
            {"type": f"sentence_transformers.models.{step}", "path": path}
            for step, path in zip(steps, paths, strict=False)
        ]
        modes = {"mean": "mean_tokens", "cls": "cls_token", "last": "lasttoken"}
        _write_json(folder / "modules.json", modules)
        modes = {f"pooling_mode_{name}": kind == pooling for kind, name in modes.items()}
        _write_json(folder / "1_Pooling" / "config.json", modes)
    if max_tokens is not None:
        _write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_tokens})
    if prompts is not None:
        _write_json(folder / "config_sentence_transformers.json", {"prompts": prompts})
    return save(model or bert_model(bert), folder / "onnx" / "model.onnx", None)


def bert_model(bert: Bert, *, has_mask: bool = True) -> Any:
    """Return the `onnx.ModelProto`; without a mask it can read no padding."""
    graph = GraphWriter("f32", 32, 0)
    batch = ["batch_size", "sequence_length"]
    for name in ("input_ids", *(["attention_mask"] if has_mask else []), "token_type_ids"):
        graph.input(name, TensorProto.INT64, batch)
    for name, weight in bert.weights.items():
        graph.constant(name, weight if weight.ndim == 1 or "embeddings" in name else weight.T.copy())
    length = graph.add("Gather", [graph.add("Shape", ["input_ids"]), graph.integers(1)], axis=0)
    positions = graph.add("Range", [graph.integers(0), length, graph.integers(1)])
    hidden = graph.add("Gather", ["embeddings.word_embeddings.weight", "input_ids"])
    for name, indices in (("position", positions), ("token_type", "token_type_ids")):
        table = f"embeddings.{name}_embeddings.weight"
        hidden = graph.add("Add", [hidden, graph.add("Gather", [table, indices])])
    hidden = _norm(graph, hidden, "embeddings.LayerNorm")
    bias = _bias_of_mask(graph) if has_mask else None
    for layer in range(bert.num_layers):
        block = f"encoder.layer.{layer}."
        mixed = _linear(graph, _attention(graph, bert, hidden, block, bias), f"{block}attention.output.dense")
        hidden = _norm(graph, graph.add("Add", [hidden, mixed]), f"{block}attention.output.LayerNorm")
        inner = graph.add("Gelu", [_linear(graph, hidden, f"{block}intermediate.dense")])
        inner = _linear(graph, inner, f"{block}output.dense")
        hidden = _norm(graph, graph.add("Add", [hidden, inner]), f"{block}output.LayerNorm")
    if bert.num_labels:
        first = graph.add("Gather", [hidden, graph.integers(0)], axis=1)
        pooled = graph.add("Tanh", [_linear(graph, first, "pooler.dense")])
        graph.add_many("Identity", [_linear(graph, pooled, "classifier")], ["logits"])
        graph.output("logits", TensorProto.FLOAT, ["batch_size", bert.num_labels])
    else:
        graph.add_many("Identity", [hidden], ["last_hidden_state"])
        graph.output("last_hidden_state", TensorProto.FLOAT, [*batch, bert.width])
    return graph.model()


def _bias_of_mask(graph: GraphWriter) -> str:
    mask = graph.add("Cast", ["attention_mask"], to=TensorProto.FLOAT)
    absent = graph.add("Sub", [graph.floats(1.0), graph.add("Unsqueeze", [mask, graph.integers([1, 2])])])
    return graph.add("Mul", [absent, graph.floats(-1e9)])


def _attention(graph: GraphWriter, bert: Bert, hidden: str, block: str, bias: str | None) -> str:
    head_width = bert.width // bert.num_heads
    heads = graph.integers([0, 0, bert.num_heads, head_width])
    query, key, value = (
        graph.add(
            "Transpose",
            [graph.add("Reshape", [_linear(graph, hidden, f"{block}attention.self.{part}"), heads])],
            perm=perm,
        )
        for part, perm in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
    )
    scores = graph.add("Mul", [graph.add("MatMul", [query, key]), graph.floats(head_width**-0.5)])
    weights = graph.add("Softmax", [scores if bias is None else graph.add("Add", [scores, bias])], axis=-1)
    mixed = graph.add("Transpose", [graph.add("MatMul", [weights, value])], perm=[0, 2, 1, 3])
    return graph.add("Reshape", [mixed, graph.integers([0, 0, bert.width])])


def _linear(graph: GraphWriter, values: str, name: str) -> str:
    return graph.add("Add", [graph.add("MatMul", [values, f"{name}.weight"]), f"{name}.bias"])


def _norm(graph: GraphWriter, values: str, name: str) -> str:
    return graph.add("LayerNormalization", [values, f"{name}.weight", f"{name}.bias"], axis=-1, epsilon=1e-12)


def _write_tokenizer(path: Path) -> None:
    tokenizer = Tokenizer(models.WordPiece({token: index for index, token in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(list(VOCABULARY[:5]))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", SEP), ("[CLS]", CLS))
    tokenizer.enable_truncation(8)  # as published tokenizers do, which must not cut anything here
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path))


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(content))
