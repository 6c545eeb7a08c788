"""Whole decoders, compiled for ARM and run under emulation: the logits are those of x86."""

import subprocess
import sys
from pathlib import Path

import pytest

from appliance.backends.tvm.gguf_source import GgufSource
from appliance.backends.tvm.weights_file import write_weights
from kernels.build import compile_decoder
from kernels.decoder import decoder_module
from kernels.instruction_sets import InstructionSet
from tests.emulation.board import REPOSITORY, Board
from tests.emulation.emulated_kernels import EMULATED, board_for
from tests.tiny_decoders import DECODERS, TinyDecoder, write_tiny_decoder
from tests.unit.kernels.compiled import native

SCRIPT = Path(__file__).with_name("run_decoder.py")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def prepared(source: GgufSource, instruction_set: InstructionSet, folder: Path, board: Board | None) -> list[str]:
    """Return the paths of a compiled step and of the weights that go with it."""
    step, weights = folder / "step.so", folder / "weights.bin"
    folder.mkdir()
    linker = {} if board is None else {"fcompile": board.link}
    module = decoder_module(source.shape, instruction_set)
    compile_decoder(module, instruction_set, num_cores=1).export_library(str(step), **linker)
    write_weights(source, weights, instruction_set.int8_offset, lambda ratio: None)
    return [str(step), str(weights)]


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_the_logits_are_those_of_x86(decoder: TinyDecoder, tmp_path: Path) -> None:
    boards = {each: board_for(each) for each in EMULATED}
    model, expected = tmp_path / "tiny.gguf", str(tmp_path / "expected.npy")
    write_tiny_decoder(model, decoder)
    source = GgufSource(model)
    here = prepared(source, native()[0], tmp_path / "here", None)
    subprocess.run(
        [sys.executable, SCRIPT, model, *here, "--write", expected],
        env={"PYTHONPATH": str(REPOSITORY)},
        check=True,
        capture_output=True,
    )
    for instruction_set, board in boards.items():
        there = prepared(source, instruction_set, tmp_path / instruction_set.name, board)
        command = board.python(SCRIPT, str(model), *there, "--expected", expected)
        ran = subprocess.run(command, env=board.environment(), capture_output=True, text=True)
        assert ran.returncode == 0, f"{instruction_set.name}: {ran.stdout}{ran.stderr}"
