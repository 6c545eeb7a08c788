"""Export a decoder to ONNX: `decoder_export.py FOLDER TARGET CACHE`. Runs in the conversion environment alone.

onnxruntime-genai's builder does it. Two things that version 0.18 leaves are done here: it reads Gemma 3's two bases of
rotary positions where transformers kept them before version 5, so they are put there; and where every layer attends
over a sliding window (Mistral 7B v0.1, Phi-3-mini-4k), it writes the window beside the graph, so it is put into it.
"""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
from onnxruntime_genai.models import builder
from transformers import AutoConfig

_PRECISION, _PROVIDER = "fp32", "cpu"


def main(source: str, target: str, cache: str) -> None:
    """Load the folder `source` and write the graph, its weights and `genai_config.json` into `target`."""
    builder.AutoConfig = SimpleNamespace(from_pretrained=_read_config)
    options = builder.parse_extra_options("", source, target, _PRECISION, _PROVIDER, cache, [])
    builder.create_model("", source, target, _PRECISION, _PROVIDER, cache, **options)
    window = getattr(AutoConfig.from_pretrained(source), "sliding_window", None)
    if window:
        _limit_attention(Path(target) / "model.onnx", window)


def _read_config(*arguments: Any, **options: Any) -> Any:
    config = AutoConfig.from_pretrained(*arguments, **options)
    rotary = getattr(config, "rope_parameters", None)
    if config.model_type == "gemma3_text" and rotary and "full_attention" in rotary:
        config.rope_local_base_freq = rotary["sliding_attention"]["rope_theta"]
        config.rope_parameters = rotary["full_attention"]
        config.rope_theta = config.rope_parameters["rope_theta"]
    return config


def _limit_attention(graph: Path, window: int) -> None:
    """Give every layer the window, unless the builder knew which of them have one."""
    model = onnx.load(graph, load_external_data=False)
    attributes = [each for node in model.graph.node for each in node.attribute if each.name == "local_window_size"]
    if all(each.i < 0 for each in attributes):
        for each in attributes:
            each.i = window
        onnx.save(model, graph)


if __name__ == "__main__":
    main(*sys.argv[1:])
