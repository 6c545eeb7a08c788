"""Decoders of the families that can be converted say what transformers says, also beyond their sliding window."""

import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import models.default
from appliance.backends.base import Batch, LoadedModel, Run
from appliance.backends.onnx.exporter import export_decoder
from tests import hf_families
from tests.unit.backends.conformance import load
from tests.unit.backends.plans import plan_of

TOKENIZER = Path(models.default.__file__).with_name("guide")
CHUNK_TOKENS, NUM_DECODED = 64, 10


@pytest.mark.slow
@pytest.mark.skipif("CONVERSION_ENVIRONMENT" not in os.environ, reason="names no environment with the exporters")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("family", hf_families.FAMILIES)
def test_a_converted_family_says_what_transformers_says(family: str, tmp_path: Path) -> None:
    python, source = Path(os.environ["CONVERSION_ENVIRONMENT"]) / "bin" / "python", tmp_path / "source"
    subprocess.run([str(python), hf_families.__file__, family, str(source)], check=True, capture_output=True)
    for file in TOKENIZER.glob("tokenizer*.json"):
        shutil.copy(file, source)
    export_decoder(python, source, tmp_path / "made", tmp_path / "cache", lambda *_: None)

    with np.load(source / "reference.npz") as reference:
        tokens, expected = reference["tokens"], reference["logits"]
    model = load(
        plan_of("onnx", "onnx", str(tmp_path / "made" / "model.onnx"), compiled_path=str(tmp_path / "compiled"))
    )
    first_decoded = len(tokens) - NUM_DECODED
    cuts = [*range(0, first_decoded, CHUNK_TOKENS), *range(first_decoded, len(tokens) + 1)]
    rows = [rows_of(model, tokens[begin:end], begin) for begin, end in pairwise(cuts)]
    model.close()

    np.testing.assert_allclose(np.concatenate(rows), expected, atol=1e-3)


def rows_of(model: LoadedModel, tokens: np.ndarray[tuple[int], np.dtype[np.int32]], begin: int) -> np.ndarray:
    return model.step(Batch((Run(0, begin, tokens, len(tokens)),))).logits[0].copy()
