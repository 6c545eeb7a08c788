"""Folders of each family, converted to GGUF, say on llama.cpp what transformers says."""

import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest

import models.default
from appliance.backends.llama_cpp import context
from appliance.backends.llama_cpp.convert_job import check_tokens
from appliance.backends.reading import read_logits
from models.to_gguf.folder import plan_conversion
from tests import hf_families
from tests.unit.backends.conformance import load
from tests.unit.backends.plans import plan_of

TOKENIZER = Path(models.default.__file__).with_name("guide")
FAMILIES = ("llama", "mistral", "qwen2", "qwen3", *hf_families.VARIANTS)


@pytest.mark.slow
@pytest.mark.skipif("CONVERSION_ENVIRONMENT" not in os.environ, reason="names no environment with transformers")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_converted_family_says_what_transformers_says(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, folder = Path(os.environ["CONVERSION_ENVIRONMENT"]) / "bin" / "python", tmp_path / "source"
    subprocess.run([str(python), hf_families.__file__, family, str(folder)], check=True, capture_output=True)
    for file in TOKENIZER.glob("tokenizer*.json"):
        shutil.copy(file, folder)
    path = tmp_path / "made.gguf"
    plan_conversion(folder).write(path, lambda done: None)

    # The library's fused attention computes with 16 bits: 1e-3 of difference that the conversion has no part in
    monkeypatch.setattr(context, "_FLASH_ATTENTION_AUTO", 0)
    plan = msgspec.structs.replace(plan_of("llama_cpp", "gguf", str(path), kv_type="f32"), context_tokens=128)
    model = load(plan)
    with np.load(folder / "reference.npz") as reference:
        tokens, expected = reference["tokens"], reference["logits"]
    rows = np.concatenate([rows.copy() for _, rows in read_logits(model, tokens)])
    model.close()

    np.testing.assert_allclose(rows, expected, atol=1e-5)
    check_tokens(folder, path)
