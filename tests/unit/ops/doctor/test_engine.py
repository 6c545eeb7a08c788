"""The engines: installed, starting, compiled for this processor."""

import msgspec

from appliance.backends.description import EngineInstructions
from appliance.core.hardware import Instruction
from appliance.ops.doctor.engine import engines
from appliance.ops.doctor.facts import Facts, Installation
from tests.unit.ops.doctor.machines import NATIVE, engine, found, healthy, only


def compiled_for(*used: Instruction) -> Facts:
    told = EngineInstructions(
        used=frozenset(used), usable=NATIVE, worth={Instruction.AVX512_VNNI: "a third faster (source)"}
    )
    return healthy(engines=(engine(instructions=told),))


def test_an_engine_that_uses_all_it_can_is_fine() -> None:
    assert not found(engines, healthy())


def test_instructions_left_unused_are_named_with_what_they_are_worth_and_how_to_use_them() -> None:
    finding = only(engines, compiled_for(Instruction.AVX2))

    assert finding.state == "warning"
    assert "AVX512-VNNI" in finding.title and "AVX2" not in finding.title.replace("AVX512", "")
    assert finding.reason == "a third faster (source)"
    assert finding.mend == "pip install --no-binary one one"


def test_what_nobody_measured_is_not_given_a_figure() -> None:
    reason = only(engines, compiled_for(Instruction.AVX512_VNNI)).reason or ""

    assert "not measured" in reason and not any(sign in reason for sign in "%0123456789")


def test_an_instruction_that_the_engine_has_no_code_for_is_not_missed() -> None:
    facts = healthy()
    assert facts.snapshot is not None
    processor = msgspec.structs.replace(facts.snapshot.processor, instructions=NATIVE | {Instruction.AVX512_FP16})
    snapshot = msgspec.structs.replace(facts.snapshot, processor=processor)

    assert not found(engines, healthy(snapshot=snapshot))


def test_an_engine_of_another_processor_is_an_error() -> None:
    finding = only(engines, compiled_for(*NATIVE, Instruction.AMX_INT8))

    assert finding.state == "error" and "AMX-INT8" in (finding.reason or "")


def test_nothing_is_said_of_a_processor_that_could_not_be_read() -> None:
    facts = compiled_for(Instruction.AMX_INT8)
    assert facts.snapshot is not None
    processor = msgspec.structs.replace(facts.snapshot.processor, instructions=frozenset())

    assert not found(
        engines, msgspec.structs.replace(facts, snapshot=msgspec.structs.replace(facts.snapshot, processor=processor))
    )
    assert not found(engines, msgspec.structs.replace(facts, snapshot=None))


def test_an_engine_that_does_not_start_says_why() -> None:
    finding = only(engines, healthy(engines=(engine(instructions=None, failure="an illegal instruction"),)))

    assert (finding.state, finding.reason) == ("error", "an illegal instruction")


def test_an_engine_that_is_missing_is_installed_by_its_own_command() -> None:
    missing = msgspec.structs.replace(engine().descriptor, state="unavailable", message="one is not installed")
    finding = only(engines, healthy(engines=(engine(descriptor=missing),)))

    assert (finding.state, finding.mend) == ("error", "python -m pip install one")


def test_an_engine_whose_libraries_do_not_fit_together_says_so_with_what_mends_it() -> None:
    wrong = msgspec.structs.replace(
        engine().descriptor, state="unavailable", message="two is 0.2; only two 0.1 works", mend="pip install two==0.1"
    )
    finding = only(engines, healthy(engines=(engine(descriptor=wrong, instructions=None, rebuild_command=None),)))

    assert (finding.state, finding.reason) == ("error", "two is 0.2; only two 0.1 works")
    assert finding.mend == "pip install two==0.1"


def test_an_engine_that_is_not_for_this_processor_is_no_fault() -> None:
    foreign = msgspec.structs.replace(engine().descriptor, state="unavailable", message="not for it", mend=None)
    facts = healthy(engines=(engine(descriptor=foreign, instructions=None, rebuild_command=None),))

    assert not found(engines, facts)


def test_where_our_installer_made_the_environment_it_makes_it_anew() -> None:
    user = Installation(folder="/srv/box", source="/src", options=" --prefix /srv/box")
    system = Installation(folder="/opt/appliance", source="/src", is_system=True)
    facts = compiled_for(Instruction.AVX2)

    assert [
        only(engines, msgspec.structs.replace(facts, installation=installation)).mend for installation in (user, system)
    ] == ["sh /src/installer/install.sh --prefix /srv/box", "sudo sh /src/installer/install.sh"]


def test_an_engine_with_nothing_to_compile_is_not_mentioned() -> None:
    assert engines(healthy(engines=(engine(rebuild_command=None),))) == ()


def test_what_an_engine_could_do_better_is_said_with_what_mends_it() -> None:
    slow = msgspec.structs.replace(engine().descriptor, drawback="each start compiles", mend="install a linker")
    finding = only(engines, healthy(engines=(engine(descriptor=slow, instructions=None, rebuild_command=None),)))
    assert (finding.state, finding.reason, finding.mend) == ("note", "each start compiles", "install a linker")
