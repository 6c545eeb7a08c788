"""The vital values of the machines of `tests/data/hardware`, without any child process."""

import pytest

from appliance.hardware import children
from appliance.hardware.probe import probe
from appliance.ops.machine import Machine
from tests.fakes import machine
from tests.unit.hardware.machines import tree_of


@pytest.mark.parametrize(
    ("name", "celsius", "watts"),
    [
        ("raspberry-pi-4", 48.686, None),
        ("jetson-agx-orin", 47.093, pytest.approx(8.748, abs=0.001)),
        ("xeon-sapphire-rapids", 55.0, None),
        ("rtx-workstation", 58.0, None),
        ("container-v2", None, None),
    ],
)
def test_the_hottest_processor_and_the_boards_power(
    name: str, celsius: float | None, watts: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children.subprocess, "Popen", None)  # a child would be an error
    vitals = Machine(machine(), tree_of(name)).vitals()
    assert (vitals.celsius, vitals.watts) == (celsius, watts)


@pytest.mark.parametrize(
    ("name", "headroom_celsius"),
    [
        ("raspberry-pi-4", 80 - 48.686),  # its sensor's own limit is where it switches off
        ("xeon-sapphire-rapids", 94 - 55),
        ("container-v2", None),
    ],
)
def test_how_far_the_processor_is_from_its_limit(name: str, headroom_celsius: float | None) -> None:
    tree = tree_of(name)
    strain = Machine(probe(tree), tree).strain()
    assert strain.headroom_celsius == (None if headroom_celsius is None else pytest.approx(headroom_celsius))
