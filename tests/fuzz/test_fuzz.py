"""Readers of files from anywhere, led through their branches by coverage: a minute in all, `sh tests/run full` only."""

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.embedded import EMBEDDED_PATH
from models.formats.gguf_writer import Tensor, write_gguf
from tests.catalogues import OURS, signature_of
from tests.onnx_shapes import write_decoder

pytest.importorskip("atheris", reason="atheris has no wheel for this Python on this machine")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="inputs lie in Linux's memory files"),
]

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 10
HEADER = b'{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'


def seeds(target: str, folder: Path) -> list[bytes]:
    """Return sound files to begin with: from noise alone, no fuzzer finds the way past the first number."""
    if target == "gguf":
        write_gguf(
            folder / "x",
            {"general.architecture": "llama", "a": [1, 2], "b": ["c"]},
            [Tensor("t", (4,), "F32", lambda: [np.zeros(4, np.float32)])],
        )
        return [(folder / "x").read_bytes(), EMBEDDED_PATH.read_bytes()[:4096]]
    if target == "safetensors":
        return [struct.pack("<Q", len(HEADER)) + HEADER + bytes(24)]
    if target == "onnx":
        return [write_decoder(folder / "decoder").read_bytes()[:16_000], b"\x08\x08\x3a\x04\x12\x02gg"]
    if target == "refusal":
        return [b"PK\x03\x04", b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00]\x94.", b"ccopy_reg\n_reconstructor\n"]
    if target == "folder":
        return [
            b'{"model_type":"bert","num_labels":1,"id2label":{"0":"a"},"eos_token_id":[1,2]}',
            b'[{"type":"a.Pooling"}]',
        ]
    return [OURS.encode() if target == "catalogue" else signature_of(OURS).encode()]


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("target", ["gguf", "safetensors", "onnx", "refusal", "catalogue", "signature", "folder"])
def test_no_input_ends_otherwise_than_in_the_readers_own_error(target: str, tmp_path: Path) -> None:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    for number, seed in enumerate(seeds(target, tmp_path)):
        (inputs / str(number)).write_bytes(seed)
    command = [sys.executable, "-m", "tests.fuzz.harness", target, str(inputs)]
    kept = f"-artifact_prefix={tmp_path}/finding-"
    options = (f"-max_total_time={SECONDS}", kept)
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, cwd=ROOT)
    findings = [(path.name, path.read_bytes()[:200]) for path in tmp_path.glob("finding-*")]
    assert done.returncode == 0, (findings, done.stderr[-3000:])
    assert "stat::number_of_executed_units" in done.stderr
