"""A decoder that reads a text alone, to see what it makes of it: in calibration and at the quality gate."""

import numpy as np

from appliance.backends.base import Batch, Run
from appliance.backends.held_out import Tokens
from appliance.backends.onnx.adapter import OnnxDecoder
from appliance.backends.onnx.layout import DecoderLayout
from appliance.backends.onnx.limits import CHUNK_TOKENS
from appliance.backends.onnx.prepared import Prepared
from appliance.backends.quality import FloatArray
from appliance.backends.trial_plan import trial_plan
from appliance.core.plan import Artefact


def open_reader(prepared: Prepared, num_tokens: int, num_threads: int) -> OnnxDecoder:
    """Load a decoder as it is served, for texts of so many tokens, one after another."""
    plan = trial_plan(
        "onnx",
        Artefact(format="onnx", path=str(prepared.graph), digest=""),
        num_tokens=num_tokens,
        step_tokens=CHUNK_TOKENS,
        num_threads=num_threads,
        kv_type=prepared.decoder.kv_type,
    )
    return OnnxDecoder(plan, prepared, lambda _: None)


def read_cache(model: OnnxDecoder, layout: DecoderLayout, text: Tokens) -> list[FloatArray]:
    """Return keys and values of each layer after the text, `(num_heads, num_tokens, head_width)`; both are floats."""
    for start in range(0, len(text), CHUNK_TOKENS):
        model.step(Batch((Run(0, start, text[start : start + CHUNK_TOKENS], 0),)))
    values = np.frombuffer(model.snapshot(0, 0, len(text)).parts[0], np.float32)
    model.truncate(0, 0)
    shapes = [(layer.num_heads, len(text), layer.head_width) for layer in layout.layers for _ in ("keys", "values")]
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(values, ends[:-1]), shapes, strict=True)]
