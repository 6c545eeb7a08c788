"""Every backend keeps the promises of the seam; echo, the reference, first."""

from pathlib import Path
from typing import ClassVar

import pytest
from msgspec.structs import replace

from appliance.core.plan import LoadPlan
from appliance.hardware.probe import probe
from tests.onnx_graph_writer import Weights
from tests.onnx_shapes import write_decoder
from tests.random_loras import random_lora, write_lora
from tests.shapes import write_shape
from tests.tiny_decoders import DECODERS
from tests.tiny_folders import write_tiny_folder
from tests.unit.backends.conformance import Conformance
from tests.unit.backends.conformance_of_adapters import ConformanceOfAdapters
from tests.unit.backends.conformance_of_parts import ConformanceOfParts
from tests.unit.backends.plans import compiled_plan, plan_of
from tests.unit.backends.sliding_window import write_sliding_window

INSTRUCTIONS = probe().processor.instructions


class TestEcho(ConformanceOfAdapters, ConformanceOfParts):
    tolerance: ClassVar[float] = 0.0

    @pytest.fixture(scope="class")
    @classmethod
    def adapter_paths(cls, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
        paths = [tmp_path_factory.mktemp("adapters") / "any" for _ in range(2)]
        for number, path in enumerate(paths):
            path.write_text(f"adapter {number}")
        return str(paths[0]), str(paths[1])

    @pytest.fixture(scope="class")
    @classmethod
    def plan(cls) -> LoadPlan:
        return plan_of("echo", "echo", "echo:?token_s=0.00001")


class TestEchoWithoutTruncation(Conformance):
    tolerance: ClassVar[float] = 0.0

    @pytest.fixture(scope="class")
    @classmethod
    def plan(cls) -> LoadPlan:
        return plan_of("echo", "echo", "echo:?truncate=0")


class LlamaCpp(ConformanceOfAdapters, ConformanceOfParts):
    quantization: ClassVar[str]

    @pytest.fixture(scope="class")
    @classmethod
    def adapter_paths(cls, plan: LoadPlan, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
        folder = tmp_path_factory.mktemp("adapters")
        loras = [random_lora(Path(plan.artefact.path), seed) for seed in range(2)]
        first, second = (write_lora(folder / f"{number}.gguf", lora) for number, lora in enumerate(loras))
        return str(first), str(second)

    @pytest.fixture(scope="class")
    @classmethod
    def plan(cls, tmp_path_factory: pytest.TempPathFactory) -> LoadPlan:
        path = tmp_path_factory.mktemp("llama_cpp") / "tiny.gguf"
        write_shape(path, "tiny", cls.quantization)
        return plan_of("llama_cpp", "gguf", str(path))


class TestLlamaCppF16(LlamaCpp):
    quantization: ClassVar[str] = "F16"
    tolerance: ClassVar[float] = 0.02


class TestLlamaCppQ4(LlamaCpp):
    quantization: ClassVar[str] = "Q4_0"
    tolerance: ClassVar[float] = 0.1


class TestLlamaCppWithASlidingWindow(Conformance):
    tolerance: ClassVar[float] = 0.02

    @pytest.fixture(scope="class")
    @classmethod
    def plan(cls, tmp_path_factory: pytest.TempPathFactory) -> LoadPlan:
        path = tmp_path_factory.mktemp("llama_cpp") / "window.gguf"
        write_sliding_window(path)
        return plan_of("llama_cpp", "gguf", str(path))


class Onnx(ConformanceOfParts):
    weights: ClassVar[Weights]
    block_size: ClassVar[int] = 32
    kv_type: ClassVar[str] = "f32"
    tolerance: ClassVar[float] = 0.0

    @pytest.fixture(scope="class")
    @classmethod
    def plan(cls, tmp_path_factory: pytest.TempPathFactory) -> LoadPlan:
        folder = tmp_path_factory.mktemp("onnx")
        graph = write_decoder(folder / "tiny", weights=cls.weights, block_size=cls.block_size)
        return plan_of("onnx", "onnx", str(graph), compiled_path=str(folder / "compiled"), kv_type=cls.kv_type)


class TestOnnxF32(Onnx):
    weights: ClassVar[Weights] = "f32"


class TestOnnxInt4(Onnx):
    weights: ClassVar[Weights] = "int4"


class TestOnnxInt4InLargeBlocks(Onnx):
    weights: ClassVar[Weights] = "int4"
    block_size: ClassVar[int] = 128
    tolerance: ClassVar[float] = 0.15


class TestOnnxInt8(Onnx):
    weights: ClassVar[Weights] = "int8"
    tolerance: ClassVar[float] = 0.1


class TestOnnxF32WithInt8Cache(Onnx):
    weights: ClassVar[Weights] = "f32"
    kv_type: ClassVar[str] = "int8"


class TestOnnxInt4WithInt8Cache(Onnx):
    weights: ClassVar[Weights] = "int4"
    kv_type: ClassVar[str] = "int8"


class Tvm(ConformanceOfParts):
    """Exact: not a bit depends on what else is in a step."""

    quantization: ClassVar[str]
    kv_type: ClassVar[str] = "f16"
    tolerance: ClassVar[float] = 0.0

    @pytest.fixture(scope="class")
    @classmethod
    def plan(cls, tmp_path_factory: pytest.TempPathFactory) -> LoadPlan:
        return compiled_plan(tmp_path_factory, cls.quantization, cls.kv_type)


class TestTvmSafetensors(ConformanceOfParts):
    tolerance: ClassVar[float] = 0.0

    @pytest.fixture(scope="class")
    @classmethod
    def plan(cls, tmp_path_factory: pytest.TempPathFactory) -> LoadPlan:
        folder = tmp_path_factory.mktemp("tvm")
        path = write_tiny_folder(folder / "tiny", DECODERS[0], dtype="BF16")
        plan = plan_of("tvm", "safetensors", str(path), compiled_path=str(folder / "compiled"))
        return replace(plan, instructions=INSTRUCTIONS)


class TestTvmQ4(Tvm):
    quantization: ClassVar[str] = "Q4_0"


class TestTvmQ8(Tvm):
    quantization: ClassVar[str] = "Q8_0"


class TestTvmQ4WithInt8Cache(Tvm):
    quantization: ClassVar[str] = "Q4_0"
    kv_type: ClassVar[str] = "int8"
