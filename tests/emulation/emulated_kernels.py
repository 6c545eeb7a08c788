"""Kernels of the instruction sets of ARM, compiled here and called on an emulated board with NumPy arrays."""

import atexit
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm
from tvm.tirx import PrimFunc

from kernels.instruction_sets import DOTPROD, I8MM, NEON, InstructionSet
from tests.emulation.board import Board, NotHere, board

_CPUS = {DOTPROD: "cortex-a76", NEON: "cortex-a72", I8MM: "max"}
"""Processors that have the instructions of a set; the first two have none of another set's, which would end QEMU."""

EMULATED = tuple(_CPUS)
_SCRIPT = Path(__file__).with_name("kernels_on_board.py")


def board_for(instruction_set: InstructionSet) -> Board:
    """Return a board, or skip the test where none can be made."""
    found = _board(instruction_set)
    if isinstance(found, NotHere):
        pytest.skip(f"no ARM machine: {found}")
    return found


def emulated(operator: PrimFunc, instruction_set: InstructionSet) -> Callable[..., None]:
    """Return a function of NumPy arrays; those that it writes are written back."""
    caller = _caller(instruction_set)
    folder = Path(tempfile.mkdtemp(dir=caller.folder))
    module = tvm.IRModule({"kernel": operator.with_attr("global_symbol", "kernel")})
    built = tvm.compile(module, target=instruction_set.target(1))
    built.export_library(str(folder / "kernel.so"), fcompile=caller.board.link)
    return lambda *arrays: caller.call(folder, arrays)


@cache
def _board(instruction_set: InstructionSet) -> Board | NotHere:
    """Ask once: where there is no network, the answer takes its time."""
    try:
        return board(_CPUS[instruction_set])
    except NotHere as reason:
        return reason


class _Caller:
    """One process on the board; to start it takes seconds, so it serves all tests."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._temporary = tempfile.TemporaryDirectory(prefix="emulated-kernels-")
        self.folder = Path(self._temporary.name)
        self._process = subprocess.Popen(
            board.python(_SCRIPT), env=board.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        atexit.register(self._stop)

    def call(self, folder: Path, arrays: tuple[np.ndarray[Any, Any], ...]) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        np.savez(folder / "arguments.npz", *arrays)
        print(folder, file=self._process.stdin, flush=True)
        assert self._process.stdout.readline() == f"{folder}\n", "the kernel ended its process: an unknown instruction?"
        with np.load(folder / "results.npz") as results:
            for array, name in zip(arrays, results.files, strict=True):
                array[...] = results[name]

    def _stop(self) -> None:
        self._process.communicate()
        self._temporary.cleanup()


@cache
def _caller(instruction_set: InstructionSet) -> _Caller:
    return _Caller(board_for(instruction_set))
