"""Every backend keeps the promises of the seam; echo, the reference, first."""

from typing import ClassVar

import pytest

from appliance.core.plan import LoadPlan
from tests.shapes import write_shape
from tests.unit.backends.conformance import Conformance
from tests.unit.backends.plans import plan_of


class TestEcho(Conformance):
    tolerance: ClassVar[float] = 0.0

    @pytest.fixture(scope="class")
    @classmethod
    def plan(cls) -> LoadPlan:
        return plan_of("echo", "echo", "echo:?token_s=0.00001")


class LlamaCpp(Conformance):
    quantization: ClassVar[str]

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
