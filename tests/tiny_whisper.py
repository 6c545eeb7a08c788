"""Write a tiny Whisper with random weights as exporters and hubs lay it out: graphs of optimum's form, and its files.

Weights have transformers' names, so that the reference implementation can be given the same ones (see
`tests/data/whisper/make_reference.py`). Its text is noise, but it is the noise that the reference writes, too.
"""

import io
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from tests.onnx_graph_writer import GraphWriter
from tests.onnx_shapes import save

FloatArray = npt.NDArray[np.float32]
LANGUAGES = ("en", "zh", "de")
SPECIAL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{code}|>" for code in LANGUAGES),
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
END = 256
ID = {text: END + place for place, text in enumerate(SPECIAL)}
FIRST_TIMESTAMP = END + len(SPECIAL)
VOCAB_SIZE = FIRST_TIMESTAMP + 1501
SAMPLE_RATE = 16_000
POSITIONS = 1500
_HEADS = [0, 0]


@dataclass(frozen=True)
class Whisper:
    """A shape and its weights by transformers' names."""

    width: int = 32
    num_layers: int = 2
    num_heads: int = 2
    feed_forward: int = 64
    num_mel_bins: int = 80
    max_tokens: int = 64
    seed: int = 0
    spread: float = 1.0

    @property
    def head_width(self) -> int:
        return self.width // self.num_heads

    @cached_property
    def weights(self) -> dict[str, FloatArray]:
        random = np.random.default_rng(self.seed)

        def matrix(*shape: int, scale: float = 1.0) -> FloatArray:
            fan_in = int(np.prod(shape[1:]))
            return (random.standard_normal(shape) * self.spread * scale / np.sqrt(fan_in)).astype(np.float32)

        weights = {
            "model.encoder.conv1.weight": matrix(self.width, self.num_mel_bins, 3),
            "model.encoder.conv1.bias": matrix(self.width, 1)[:, 0],
            "model.encoder.conv2.weight": matrix(self.width, self.width, 3),
            "model.encoder.conv2.bias": matrix(self.width, 1)[:, 0],
            "model.encoder.embed_positions.weight": sinusoids(POSITIONS, self.width),
            "model.decoder.embed_tokens.weight": matrix(VOCAB_SIZE, self.width, scale=2.0),
            "model.decoder.embed_positions.weight": matrix(self.max_tokens, self.width, scale=2.0),
        }
        for side, attentions in (("encoder", ("self_attn",)), ("decoder", ("self_attn", "encoder_attn"))):
            for layer in range(self.num_layers):
                block = f"model.{side}.layers.{layer}"
                for attention in attentions:
                    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                        weights[f"{block}.{attention}.{part}.weight"] = matrix(self.width, self.width, scale=2.0)
                        if part != "k_proj":
                            weights[f"{block}.{attention}.{part}.bias"] = matrix(self.width, 1)[:, 0] * np.float32(0.1)
                    weights |= self._norm(f"{block}.{attention}_layer_norm")
                weights[f"{block}.fc1.weight"] = matrix(self.feed_forward, self.width, scale=2.0)
                weights[f"{block}.fc1.bias"] = matrix(self.feed_forward, 1)[:, 0]
                weights[f"{block}.fc2.weight"] = matrix(self.width, self.feed_forward, scale=2.0)
                weights[f"{block}.fc2.bias"] = matrix(self.width, 1)[:, 0]
                weights |= self._norm(f"{block}.final_layer_norm")
            weights |= self._norm(f"model.{side}.layer_norm")
        return weights

    def _norm(self, name: str) -> dict[str, FloatArray]:
        return {f"{name}.weight": np.ones(self.width, np.float32), f"{name}.bias": np.zeros(self.width, np.float32)}


def sinusoids(length: int, width: int) -> FloatArray:
    """Return the positions that Whisper's encoder has: sines, then cosines."""
    rates = np.exp(-np.log(10_000) / (width // 2 - 1) * np.arange(width // 2))
    angles = np.arange(length)[:, None] * rates[None]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def write_whisper(
    folder: Path, whisper: Whisper, *, decoder: Literal["merged", "two"] = "merged", label: str = "", data: bool = False
) -> Path:
    """Write the folder and return the path of the decoder's graph; with `data` weights lie in files of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    end = f"_{label}.onnx" if label else ".onnx"
    _write_json(folder / "config.json", transformers_config(whisper))
    _write_json(folder / "generation_config.json", generation_config())
    _write_json(folder / "preprocessor_config.json", preprocessor_config(whisper))
    _write_tokenizer(folder)
    suffix = "_data" if data else None
    graphs = folder / "onnx"
    save(encoder_model(whisper), graphs / f"encoder_model{end}", suffix)
    if decoder == "merged":
        return save(merged_model(whisper), graphs / f"decoder_model_merged{end}", suffix)
    save(decoder_model(whisper, has_past=True), graphs / f"decoder_with_past_model{end}", suffix)
    return save(decoder_model(whisper, has_past=False), graphs / f"decoder_model{end}", suffix)


def transformers_config(whisper: Whisper) -> dict[str, Any]:
    """Return what `config.json` says."""
    shape = {"d_model": whisper.width, "vocab_size": VOCAB_SIZE, "num_mel_bins": whisper.num_mel_bins}
    for side in ("encoder", "decoder"):
        shape |= {f"{side}_layers": whisper.num_layers, f"{side}_attention_heads": whisper.num_heads}
        shape |= {f"{side}_ffn_dim": whisper.feed_forward}
    tokens = {"bos_token_id": END, "eos_token_id": END, "pad_token_id": END}
    tokens |= {"decoder_start_token_id": ID["<|startoftranscript|>"]}
    limits = {"max_source_positions": POSITIONS, "max_target_positions": whisper.max_tokens}
    return {"model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"], **shape, **tokens, **limits}


def generation_config() -> dict[str, Any]:
    """Return what `generation_config.json` says."""
    return {
        "bos_token_id": END,
        "eos_token_id": END,
        "pad_token_id": END,
        "decoder_start_token_id": ID["<|startoftranscript|>"],
        "is_multilingual": True,
        "lang_to_id": {f"<|{code}|>": ID[f"<|{code}|>"] for code in LANGUAGES},
        "task_to_id": {task: ID[f"<|{task}|>"] for task in ("transcribe", "translate")},
        "no_timestamps_token_id": ID["<|notimestamps|>"],
        "prev_sot_token_id": ID["<|startofprev|>"],
        "max_initial_timestamp_index": 50,
        "suppress_tokens": [1, 2, 7, *(token for text, token in ID.items() if text != SPECIAL[0])],
        "begin_suppress_tokens": [220, END],
        "return_timestamps": False,
        "max_length": 64,
    }


def preprocessor_config(whisper: Whisper) -> dict[str, Any]:
    """Return what `preprocessor_config.json` says."""
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": whisper.num_mel_bins,
        "chunk_length": 30,
        "hop_length": 160,
        "n_fft": 400,
        "sampling_rate": SAMPLE_RATE,
    }


def encoder_model(whisper: Whisper) -> Any:
    """Return the encoder's `onnx.ModelProto`."""
    graph = _Writer(whisper)
    graph.input("input_features", TensorProto.FLOAT, ["batch_size", whisper.num_mel_bins, 2 * POSITIONS])
    hidden = "input_features"
    for name, stride in (("conv1", 1), ("conv2", 2)):
        weights = [graph.weight(f"model.encoder.{name}.{part}") for part in ("weight", "bias")]
        hidden = graph.add("Gelu", [graph.add("Conv", [hidden, *weights], pads=[1, 1], strides=[stride])])
    hidden = graph.add("Transpose", [hidden], perm=[0, 2, 1])
    hidden = graph.add("Add", [hidden, graph.weight("model.encoder.embed_positions.weight")])
    for layer in range(whisper.num_layers):
        block = f"model.encoder.layers.{layer}"
        normed = graph.norm(hidden, f"{block}.self_attn_layer_norm")
        key, value = graph.keys_and_values(normed, f"{block}.self_attn")
        hidden = graph.add("Add", [hidden, graph.attention(normed, key, value, f"{block}.self_attn", None)])
        hidden = graph.feed_forward(hidden, block)
    graph.add_many("Identity", [graph.norm(hidden, "model.encoder.layer_norm")], ["last_hidden_state"])
    graph.output("last_hidden_state", TensorProto.FLOAT, ["batch_size", POSITIONS, whisper.width])
    return graph.model()


def decoder_model(whisper: Whisper, *, has_past: bool) -> Any:
    """Return one of the two decoders: for the first tokens, or for later ones behind what it remembers."""
    graph = _Writer(whisper)
    _decoder_inputs(graph, whisper, has_past=has_past, has_sound=not has_past)
    _decode(graph, has_past=has_past, returns_window=not has_past)
    return graph.model()


def merged_model(whisper: Whisper) -> Any:
    """Return one decoder for both uses, with a branch for each and the weights of both outside of them."""
    outer = _Writer(whisper)
    _decoder_inputs(outer, whisper, has_past=True, has_sound=True)
    outer.input("use_cache_branch", TensorProto.BOOL, [1])
    branches = {}
    for name, has_past in (("then_branch", True), ("else_branch", False)):
        branch = _Writer(whisper, outer)
        _decode(branch, has_past=has_past, returns_window=True)
        branches[name] = branch.model().graph
    outer.merge(branches)
    return outer.model()


def speech_like(duration_s: float, seed: int = 0) -> FloatArray:
    """Return sound that changes as speech does: a few tones at a time that come and go."""
    random = np.random.default_rng(seed)
    moments = np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    sound = np.zeros(len(moments))
    for frequency in random.uniform(100, 4000, 12):
        swell, phase = random.uniform(0.3, 3.0), random.uniform(0, 6.28)
        sound += np.maximum(0, np.sin(6.28 * swell * moments + phase)) * np.sin(6.28 * frequency * moments)
    return (0.1 * sound + 0.001 * random.standard_normal(len(moments))).astype(np.float32)


def wav(samples: FloatArray) -> bytes:
    """Return samples as a WAV file of 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(SAMPLE_RATE)
        recording.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()


class _Writer(GraphWriter):
    """A writer that knows Whisper's parts. Of a branch, the weights lie in the graph around it."""

    def __init__(self, whisper: Whisper, outer: "_Writer | None" = None) -> None:
        super().__init__("f32", 32, 0)
        self.whisper = whisper
        self._outer = outer
        self._known: set[str] = set()

    def weight(self, name: str, *, turned: bool = False) -> str:
        """Return a weight by its name, once in the graph; a matrix of a linear layer is turned around."""
        if self._outer is not None:
            return self._outer.weight(name, turned=turned)
        values = self.whisper.weights[name]
        own = f"{name}.T" if turned else name
        if own not in self._known:
            self._known.add(own)
            self.constant(own, values.T.copy() if turned else values)
        return own

    def linear_layer(self, values: str, name: str) -> str:
        product = self.add("MatMul", [values, self.weight(f"{name}.weight", turned=True)])
        has_bias = f"{name}.bias" in self.whisper.weights
        return self.add("Add", [product, self.weight(f"{name}.bias")]) if has_bias else product

    def norm(self, values: str, name: str) -> str:
        weights = [self.weight(f"{name}.{part}") for part in ("weight", "bias")]
        return self.add("LayerNormalization", [values, *weights], axis=-1, epsilon=1e-5)

    def heads(self, values: str) -> str:
        shape = self.integers([*_HEADS, self.whisper.num_heads, self.whisper.head_width])
        return self.add("Transpose", [self.add("Reshape", [values, shape])], perm=[0, 2, 1, 3])

    def keys_and_values(self, values: str, attention: str) -> tuple[str, str]:
        key, value = (self.heads(self.linear_layer(values, f"{attention}.{part}_proj")) for part in ("k", "v"))
        return key, value

    def attention(self, values: str, key: str, value: str, attention: str, mask: str | None) -> str:
        query = self.heads(self.linear_layer(values, f"{attention}.q_proj"))
        turned = self.add("Transpose", [key], perm=[0, 1, 3, 2])
        scores = self.add("Mul", [self.add("MatMul", [query, turned]), self.floats(self.whisper.head_width**-0.5)])
        weights = self.add("Softmax", [scores if mask is None else self.add("Add", [scores, mask])], axis=-1)
        mixed = self.add("Transpose", [self.add("MatMul", [weights, value])], perm=[0, 2, 1, 3])
        flat = self.add("Reshape", [mixed, self.integers([*_HEADS, self.whisper.width])])
        return self.linear_layer(flat, f"{attention}.out_proj")

    def feed_forward(self, hidden: str, block: str) -> str:
        inner = self.linear_layer(self.norm(hidden, f"{block}.final_layer_norm"), f"{block}.fc1")
        return self.add("Add", [hidden, self.linear_layer(self.add("Gelu", [inner]), f"{block}.fc2")])

    def merge(self, branches: dict[str, Any]) -> None:
        """Choose between two branches, whose outputs become those of the graph."""
        outputs = [value.name for value in branches["then_branch"].output]
        for value in branches["then_branch"].output:
            self._outputs.append(value)
        self._nodes.append(helper.make_node("If", ["use_cache_branch"], outputs, "optimum::if", **branches))


def _decoder_inputs(graph: _Writer, whisper: Whisper, *, has_past: bool, has_sound: bool) -> None:
    graph.input("input_ids", TensorProto.INT64, ["batch_size", "decoder_sequence_length"])
    if has_sound:
        graph.input(
            "encoder_hidden_states", TensorProto.FLOAT, ["batch_size", "encoder_sequence_length", whisper.width]
        )
    if has_past:
        for layer in range(whisper.num_layers):
            for side, length in (
                ("decoder", "past_decoder_sequence_length"),
                ("encoder", "encoder_sequence_length_out"),
            ):
                for part in ("key", "value"):
                    shape = ["batch_size", whisper.num_heads, length, whisper.head_width]
                    graph.input(f"past_key_values.{layer}.{side}.{part}", TensorProto.FLOAT, shape)


def _decode(graph: _Writer, *, has_past: bool, returns_window: bool) -> None:
    """Add the decoder and its outputs; `returns_window`: also the keys and values of the sound."""
    whisper = graph.whisper
    zero, one = graph.integers(0), graph.integers(1)
    num_new = graph.add("Gather", [graph.add("Shape", ["input_ids"]), one], axis=0)
    num_past = zero
    if has_past:
        num_past = graph.add(
            "Gather", [graph.add("Shape", ["past_key_values.0.decoder.key"]), graph.integers(2)], axis=0
        )
    total = graph.add("Add", [num_past, num_new])
    positions = graph.add("Range", [num_past, total, one])
    rows = graph.add("Unsqueeze", [positions, graph.integers([1])])
    columns = graph.add("Unsqueeze", [graph.add("Range", [zero, total, one]), graph.integers([0])])
    is_seen = graph.add("LessOrEqual", [columns, rows])
    mask = graph.add("Where", [is_seen, graph.floats(0.0), graph.floats(-1e9)])
    embedded = graph.add("Gather", [graph.weight("model.decoder.embed_tokens.weight"), "input_ids"])
    placed = graph.add("Gather", [graph.weight("model.decoder.embed_positions.weight"), positions])
    hidden = graph.add("Add", [embedded, placed])
    present: list[tuple[str, str]] = []
    for layer in range(whisper.num_layers):
        hidden = _decoder_layer(graph, hidden, mask, layer, present, has_past, returns_window)
    final = graph.norm(hidden, "model.decoder.layer_norm")
    graph.add_many("MatMul", [final, graph.weight("model.decoder.embed_tokens.weight", turned=True)], ["logits"])
    graph.output("logits", TensorProto.FLOAT, ["batch_size", "decoder_sequence_length", VOCAB_SIZE])
    for name, value in present:
        graph.add_many("Identity", [value], [name])
        graph.output(name, TensorProto.FLOAT, ["batch_size", whisper.num_heads, f"{name}_length", whisper.head_width])


def _decoder_layer(
    graph: _Writer,
    hidden: str,
    mask: str,
    layer: int,
    present: list[tuple[str, str]],
    has_past: bool,
    returns_window: bool,
) -> str:
    block = f"model.decoder.layers.{layer}"
    normed = graph.norm(hidden, f"{block}.self_attn_layer_norm")
    kept: Sequence[str] = graph.keys_and_values(normed, f"{block}.self_attn")
    if has_past:
        pasts = [f"past_key_values.{layer}.decoder.{part}" for part in ("key", "value")]
        kept = [graph.add("Concat", [past, new], axis=2) for past, new in zip(pasts, kept, strict=True)]
    hidden = graph.add("Add", [hidden, graph.attention(normed, kept[0], kept[1], f"{block}.self_attn", mask)])
    normed = graph.norm(hidden, f"{block}.encoder_attn_layer_norm")
    window: Sequence[str] = [f"past_key_values.{layer}.encoder.{part}" for part in ("key", "value")]
    if not has_past:
        window = graph.keys_and_values("encoder_hidden_states", f"{block}.encoder_attn")
    hidden = graph.add("Add", [hidden, graph.attention(normed, window[0], window[1], f"{block}.encoder_attn", None)])
    present += [(f"present.{layer}.decoder.{part}", value) for part, value in zip(("key", "value"), kept, strict=True)]
    if returns_window:
        present += [
            (f"present.{layer}.encoder.{part}", value) for part, value in zip(("key", "value"), window, strict=True)
        ]
    return graph.feed_forward(hidden, block)


def _write_tokenizer(folder: Path) -> None:
    """Write a vocabulary of single bytes, Whisper's special tokens and its timestamps."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({character: index for index, character in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIAL])
    times = [f"<|{place * 0.02:.2f}|>" for place in range(VOCAB_SIZE - FIRST_TIMESTAMP)]
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in times])
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(folder / "tokenizer_config.json", {"eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>"})


def _write_json(path: Path, content: object) -> None:
    path.write_bytes(msgspec.json.encode(content))
