"""Small plans for tests: a few sequences over a KV cache that is soon full."""

from typing import Literal

import pytest
from msgspec.structs import replace

from appliance.core.plan import Artefact, LoadPlan
from appliance.hardware.probe import probe
from tests.shapes import write_shape


def plan_of(
    backend: str,
    format_: Literal["gguf", "onnx", "safetensors", "echo"],
    path: str,
    *,
    kv_capacity_tokens: int = 256,
    compiled_path: str = "",
    kv_type: str = "f16",
) -> LoadPlan:
    """Return a plan for the artefact at `path`."""
    return LoadPlan(
        model="test",
        backend=backend,
        artefact=Artefact(format=format_, path=path, digest="", compiled_path=compiled_path),
        device="cpu",
        context_tokens=100,
        kv_capacity_tokens=kv_capacity_tokens,
        max_sequences=12,
        max_step_sequences=6,
        max_step_tokens=64,
        threads_decode=1,
        threads_prefill=1,
        kv_type=kv_type,
        gpu_layers=0,
        step_time_target_s=0.1,
        estimated_bytes=0,
        reasons=(),
    )


def compiled_plan(
    tmp_path_factory: pytest.TempPathFactory, quantization: str, kv_type: str = "f16", kv_capacity_tokens: int = 256
) -> LoadPlan:
    """Return a plan of the tiny model for our kernels. All who ask share what is compiled, which takes seconds."""
    folder = tmp_path_factory.getbasetemp() / f"compiled-{quantization}"
    path = folder / "tiny.gguf"
    if not folder.exists():
        folder.mkdir()
        write_shape(path, "tiny", quantization)
    plan = plan_of(
        "tvm",
        "gguf",
        str(path),
        compiled_path=str(folder / "compiled"),
        kv_type=kv_type,
        kv_capacity_tokens=kv_capacity_tokens,
    )
    return replace(plan, instructions=probe().processor.instructions)
