"""An engine that chooses its kernels when it starts is judged by what they were measured to bring."""

import msgspec
import pytest

from appliance.backends.description import EngineInstructions, KernelTiming
from appliance.core.doctor import Finding
from appliance.core.hardware import Instruction
from appliance.ops.doctor.engine import engines
from appliance.ops.doctor.facts import Facts
from tests.fakes import machine
from tests.unit.ops.doctor.machines import engine, healthy

VNNI, AVX2 = Instruction.AVX512_VNNI, Instruction.AVX2


def facts(present: frozenset[Instruction], *ratios: float) -> Facts:
    told = EngineInstructions(
        used=frozenset(),
        usable=frozenset(),
        worth={},
        paths=(VNNI, Instruction.AVX512, AVX2),
        dot_products=frozenset({VNNI}),
        timings=tuple(
            KernelTiming(num_rows=rows, integer_speedup_ratio=ratio)
            for rows, ratio in zip((1, 8), ratios, strict=False)
        ),
    )
    return healthy(engines=(engine(instructions=told, rebuild_command=None),), snapshot=machine(instructions=present))


def finding(of: Facts) -> Finding:
    (found,) = tuple(engines(of) or ())
    assert isinstance(found, Finding)
    return found


def test_the_path_is_named_with_the_figures_that_were_measured() -> None:
    found = finding(facts(frozenset({VNNI, AVX2}), 3.14, 2.5))

    assert found.state == "ok"
    assert found.title == (
        "the engine one takes the integer path (AVX512-VNNI): 3.1 times for 1 row and 2.5 times for 8 rows as fast as "
        "the float path on this processor"
    )


def test_dot_products_that_bring_nothing_are_a_warning_that_says_what_to_do() -> None:
    found = finding(facts(frozenset({VNNI}), 1.0, 1.1))

    assert found.state == "warning"
    assert "AVX512-VNNI" in found.title
    assert "1.1 times for 8 rows" in (found.reason or "") and "version 1.0" in (found.reason or "")


def test_one_disturbed_figure_is_no_warning() -> None:
    assert finding(facts(frozenset({VNNI}), 0.9, 2.9)).state == "ok"


def test_a_processor_without_dot_products_owes_no_speedup() -> None:
    found = finding(facts(frozenset({AVX2}), 0.9, 1.0))

    assert found.state == "ok" and "(AVX2)" in found.title


@pytest.mark.parametrize("present", [frozenset({Instruction.SSE4_2}), frozenset({Instruction.NEON})])
def test_a_processor_that_no_kernel_is_made_for_is_noted(present: frozenset[Instruction]) -> None:
    assert finding(facts(present, 1.0)).state == "note"


def test_an_engine_whose_measurement_fails_says_why() -> None:
    broken = engine(instructions=None, failure="onnxruntime was ended by signal 11", rebuild_command=None)
    found = finding(msgspec.structs.replace(healthy(), engines=(broken,)))

    assert (found.state, found.reason) == ("error", "onnxruntime was ended by signal 11")
