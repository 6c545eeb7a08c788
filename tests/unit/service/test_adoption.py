"""New models are made ready for a backend that is faster here, and nothing is lost where that fails."""

import asyncio
import logging
from collections.abc import Callable

import msgspec
import pytest

from appliance.core.hardware import HardwareSnapshot, Instruction
from appliance.core.plan import Artefact
from appliance.errors import BackendError
from appliance.service import adoption as service
from appliance.service.adoption import Adoption
from models.manifest import ModelDetails
from tests.fakes import machine

FAST = machine(instructions=frozenset({Instruction.AVX512_VNNI, Instruction.AVX2}))
DETAILS = ModelDetails(architecture="qwen2", quantization="Q4_0", num_parameters=500_000_000)
ARTEFACT = Artefact(format="gguf", path="/models/a.gguf", digest="sha256:0", compiled_path="/compiled/a")


def ratios(
    adopt: Callable[[Artefact, HardwareSnapshot, Callable[[float], None]], None],
    *,
    details: ModelDetails = DETAILS,
    snapshot: HardwareSnapshot = FAST,
    is_on: bool = True,
    artefact: Artefact = ARTEFACT,
) -> list[float]:
    async def run() -> list[float]:
        adoption = Adoption(snapshot, is_on=is_on, adopt=adopt)
        return [ratio async for ratio in adoption.run("a", artefact, details)]

    return asyncio.run(run())


def halves(artefact: Artefact, snapshot: HardwareSnapshot, progress: Callable[[float], None]) -> None:
    assert (artefact, snapshot) == (ARTEFACT, FAST)
    progress(0.5)
    progress(1.0)


def never(artefact: Artefact, snapshot: HardwareSnapshot, progress: Callable[[float], None]) -> None:
    raise AssertionError("this model stays as it is")


def test_progress_is_told_until_the_model_is_ready() -> None:
    assert ratios(halves) == [0.5, 1.0]


@pytest.mark.parametrize(
    "details",
    [
        ModelDetails(architecture="qwen2", quantization="Q4_K_M", num_parameters=500_000_000),
        ModelDetails(architecture="mamba", quantization="Q4_0", num_parameters=500_000_000),
        ModelDetails(architecture="qwen2", quantization="Q4_0", num_parameters=5_000_000),
        ModelDetails(architecture="llama", quantization="Q4_0", num_parameters=500_000_000, num_experts=8),
    ],
)
def test_what_would_change_or_gain_nothing_stays_as_it_is(details: ModelDetails) -> None:
    assert ratios(never, details=details) == []


def test_where_nobody_measured_that_it_is_faster_it_is_not_done() -> None:
    assert ratios(never, snapshot=machine(instructions=frozenset({Instruction.AVX2}))) == []
    assert ratios(never, is_on=False) == []


def test_a_model_that_reads_pictures_stays_where_they_are_read() -> None:
    assert ratios(never, artefact=msgspec.structs.replace(ARTEFACT, projector_path="/models/mmproj.gguf")) == []


def test_a_failure_costs_only_the_speed(caplog: pytest.LogCaptureFixture) -> None:
    def fail(artefact: Artefact, snapshot: HardwareSnapshot, progress: Callable[[float], None]) -> None:
        progress(0.1)
        raise BackendError("no room on the disk")

    with caplog.at_level(logging.WARNING, logger=service.__name__):
        assert ratios(fail) == [0.1]
    assert "model 'a' was not made ready for our kernels: no room on the disk" in caplog.text


FOLDER = Artefact(format="safetensors", path="/models/a/model.safetensors", digest="sha256:0", compiled_path="/c")


def test_a_folder_that_nothing_else_runs_is_made_ready_whatever_its_size_and_wherever_there_are_kernels() -> None:
    told: list[Artefact] = []
    small = ModelDetails(architecture="mistral", quantization="BF16", num_parameters=1_000_000)
    slower = machine(instructions=frozenset({Instruction.AVX2}))

    assert ratios(lambda artefact, *_: told.append(artefact), artefact=FOLDER, details=small, snapshot=slower) == []
    assert told == [FOLDER]
    mamba = ModelDetails(architecture="mamba", quantization="BF16")
    assert ratios(never, artefact=FOLDER, details=mamba) == []
    assert ratios(never, artefact=FOLDER, details=small, snapshot=machine(instructions=frozenset())) == []
