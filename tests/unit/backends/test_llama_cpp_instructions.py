"""What the compiled llama.cpp says of itself."""

import subprocess
from typing import Any

import pytest

from appliance.backends.llama_cpp.instructions import parse_system_info, read_instructions
from appliance.core.hardware import Instruction
from appliance.errors import BackendError

ZEN5 = (
    "CPU : SSE3 = 1 | SSSE3 = 1 | AVX = 1 | AVX_VNNI = 1 | AVX2 = 1 | F16C = 1 | FMA = 1 | BMI2 = 1 | AVX512 = 1 | "
    "AVX512_VBMI = 1 | AVX512_VNNI = 1 | AVX512_BF16 = 1 | LLAMAFILE = 1 | OPENMP = 1 | REPACK = 1 | "
)
PI5 = "CPU : NEON = 1 | ARM_FMA = 1 | FP16_VA = 1 | DOTPROD = 1 | SVE = 0 | LLAMAFILE = 1 | REPACK = 1 | "


def test_the_librarys_words_become_ours() -> None:
    assert Instruction.AVX512_VNNI in parse_system_info(ZEN5)
    assert Instruction.AMX_INT8 not in parse_system_info(ZEN5)
    assert parse_system_info(PI5) == {Instruction.NEON, Instruction.FP16, Instruction.DOTPROD}
    assert parse_system_info("what is this") == frozenset()


def test_the_installed_library_tells_what_it_uses() -> None:
    pytest.importorskip("llama_cpp", reason="the compiled library is not installed")
    told = read_instructions(timeout_s=30)

    assert told.used and told.used <= told.usable


class Child:
    """A child that ends at once in a given way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, returncode: int, stderr: bytes = b"") -> None:
        def run(*_: object, **__: Any) -> "subprocess.CompletedProcess[bytes]":
            return subprocess.CompletedProcess([], returncode, b"", stderr)

        monkeypatch.setattr(subprocess, "run", run)


def test_an_illegal_instruction_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    Child(monkeypatch, -4)

    with pytest.raises(BackendError, match="compiled for another processor"):
        read_instructions(timeout_s=1)


def test_a_library_that_cannot_be_loaded_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    Child(monkeypatch, 1, b"Traceback\nOSError: libgomp.so.1: cannot open shared object file\n")

    with pytest.raises(BackendError, match=r"libgomp\.so\.1"):
        read_instructions(timeout_s=1)


def test_a_library_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.backends.llama_cpp.instructions._PROGRAM", "import time; time.sleep(60)")

    with pytest.raises(BackendError, match="did not answer"):
        read_instructions(timeout_s=0.2)
