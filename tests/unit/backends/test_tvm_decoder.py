"""Whole decoders on our kernels, against the plain formulas in float64 and against another way to run the same file."""

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import replace

from appliance.backends.base import Batch, LoadedModel, Run
from appliance.backends.loading import open_backend, open_tokenizer
from appliance.core.plan import LoadPlan
from appliance.hardware.probe import probe
from models.default.held_out import read_questions
from models.embedded import EMBEDDED_PATH
from tests.decoder_reference import ReferenceDecoder
from tests.tiny_decoders import DECODERS, TinyDecoder, write_tiny_decoder
from tests.unit.backends.plans import plan_of

Floats = npt.NDArray[np.float64]


def plan_for(backend: str, path: Path, compiled: Path) -> LoadPlan:
    format_: Literal["gguf", "safetensors"] = "safetensors" if path.suffix == ".safetensors" else "gguf"
    plan = plan_of(backend, format_, str(path), kv_capacity_tokens=1024, compiled_path=str(compiled))
    return replace(plan, context_tokens=512, instructions=probe().processor.instructions)


def all_logits(model: LoadedModel, tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """Return a row for every token, read in chunks."""
    rows = []
    for start in range(0, len(tokens), 13):
        part = tokens[start : start + 13]
        rows.append(model.step(Batch((Run(0, start, part, len(part)),))).logits[0].copy())
    model.truncate(0, 0)
    return np.concatenate(rows)


def log_probabilities(logits: npt.NDArray[np.floating]) -> Floats:
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return result


def divergence(expected: npt.NDArray[np.floating], got: npt.NDArray[np.floating]) -> Floats:
    """Return the Kullback-Leibler divergence of each row, in nats."""
    reference, other = log_probabilities(expected), log_probabilities(got)
    result: Floats = (np.exp(reference) * (reference - other)).sum(-1)
    return result


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_every_family_agrees_with_the_plain_formulas(decoder: TinyDecoder, tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_decoder(path, decoder)
    tokens = np.random.default_rng(0).integers(0, decoder.vocab_size, 60).astype(np.int32)
    model = open_backend("tvm").load(plan_for("tvm", path, tmp_path / "compiled"), lambda ratio: None)
    got, expected = all_logits(model, tokens), ReferenceDecoder(path, rounds_as_kernels=True).logits(tokens)
    model.close()
    correlation = [np.corrcoef(a, b)[0, 1] for a, b in zip(got, expected, strict=True)]
    # A number that lies between two codes may be rounded either way, and random matrices make much of it
    assert np.median(correlation) > 0.9995
    assert min(correlation) > 0.998


def test_the_embedded_model_loses_no_more_than_on_the_other_backend(tmp_path: Path) -> None:
    reference = ReferenceDecoder(EMBEDDED_PATH)
    plans = {name: plan_for(name, EMBEDDED_PATH, tmp_path) for name in ("llama_cpp", "tvm")}
    plans["tvm, int8"] = replace(plans["tvm"], kv_type="int8")
    models = {name: open_backend(plan.backend).load(plan, lambda ratio: None) for name, plan in plans.items()}
    tokenizer = open_tokenizer(plans["tvm"].artefact)
    rows: dict[str, list[Floats]] = {name: [] for name in models}
    for question in [each.question for each in read_questions()][::20]:
        text = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\nappliance serve --port 8484"
        tokens = tokenizer.encode(text, parse_special=True, add_bos=True)
        expected = reference.logits(tokens)
        for name, model in models.items():
            rows[name].append(divergence(expected, all_logits(model, tokens)))
    mean = {name: float(np.concatenate(parts).mean()) for name, parts in rows.items()}
    for model in models.values():
        model.close()
    assert mean["tvm"] < 1.2 * mean["llama_cpp"]
    assert mean["tvm"] < 0.003
    assert mean["tvm, int8"] < 0.003
