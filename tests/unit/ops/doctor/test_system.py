"""What systemd is asked, by stand-ins for its tools on the path, and what the installer recorded."""

from pathlib import Path

import pytest

from appliance.ops.doctor.facts import Facts, Installation, ServiceFacts
from appliance.ops.doctor.probes import system
from appliance.ops.doctor.probes.system import look_at_clock, look_at_installation, look_at_service, scaling_driver

UNIT = Installation(folder="/opt/appliance", unit="/etc/systemd/system/appliance.service")


class Tools:
    """Tools of the system that write what they were called with into `calls`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.calls = folder / "calls"

    def add(self, name: str, body: str) -> None:
        """Put a tool on the path."""
        tool = self._folder / name
        tool.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.calls}"\n{body}\n')
        tool.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """Machine with systemd that has no other tools than those of the test."""
    monkeypatch.setattr(system, "_SYSTEMD", tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return Tools(tmp_path)


def test_systemd_is_asked_for_our_unit(tools: Tools) -> None:
    tools.add("systemctl", "printf 'ActiveState=failed\\nUnitFileState=enabled\\nResult=exit-code\\n'")

    assert look_at_service(UNIT) == ServiceFacts(active_state="failed", unit_file_state="enabled", result="exit-code")
    assert tools.calls.read_text() == ("systemctl show --property=ActiveState,UnitFileState,Result appliance.service\n")


@pytest.mark.parametrize("body", ["exit 1", "echo nonsense", "echo ActiveState=active; exit 4", "printf '\\377\\n'"])
def test_a_tool_that_fails_or_says_nothing_useful_is_no_answer(tools: Tools, body: str) -> None:
    tools.add("systemctl", body)

    assert look_at_service(UNIT) is None


def test_a_tool_that_hangs_is_given_up(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "_TIMEOUT_S", 0.1)
    tools.add("systemctl", "exec tail -f /dev/null")

    assert look_at_service(UNIT) is None


def test_without_our_unit_or_without_systemd_nothing_is_asked(
    tools: Tools, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tools.add("systemctl", "echo ActiveState=active")
    tools.add("timedatectl", "echo yes")

    assert look_at_service(None) is None
    assert look_at_service(Installation(folder="/opt/appliance")) is None
    monkeypatch.setattr(system, "_SYSTEMD", tmp_path / "none")
    assert look_at_service(UNIT) is None
    assert look_at_clock().is_synchronized is None
    assert not tools.calls.exists()


@pytest.mark.parametrize(("body", "expected"), [("echo yes", True), ("echo no", False), ("exit 1", None)])
def test_timedatectl_says_whether_the_clock_is_synchronized(tools: Tools, body: str, expected: bool | None) -> None:
    tools.add("timedatectl", body)
    clock = look_at_clock()

    assert clock.is_synchronized is expected
    assert tools.calls.read_text() == "timedatectl show --property=NTPSynchronized --value\n"
    assert clock.now_s is not None and clock.installed_s is not None and clock.now_s > clock.installed_s


def test_the_driver_that_sets_the_clock_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "_SCALING_DRIVER", tmp_path / "scaling_driver")
    assert scaling_driver() is None
    (tmp_path / "scaling_driver").write_text("intel_pstate\n")
    assert scaling_driver() == "intel_pstate"


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, Path]:
    """Return an environment that our installer made, and the installer in the source that it was made from."""
    environment = tmp_path / "my box" / "versions" / "0.1.0-abc" / "venv"
    environment.mkdir(parents=True)
    script = tmp_path / "my source" / "installer" / "install.sh"
    script.parent.mkdir(parents=True)
    script.touch(mode=0o644)
    (tmp_path / "my box" / "INSTALLED").write_text(
        f"llm-appliance installation 1\nsource {tmp_path}/my source\nunit /etc/systemd/system/a.service\n"
    )
    return environment, script


def test_the_installers_record_is_found_beside_the_environment(recorded: tuple[Path, Path], tmp_path: Path) -> None:
    assert look_at_installation(recorded[0]) == Installation(
        folder=str(tmp_path / "my box"),
        source=str(tmp_path / "my source"),
        options=f" --prefix '{tmp_path}/my box'",
        unit="/etc/systemd/system/a.service",
    )
    (tmp_path / "my box" / "INSTALLED").unlink()
    assert look_at_installation(recorded[0]) is None
    assert look_at_installation(Path("/venv")) is None


def test_a_source_that_is_gone_or_that_anybody_could_change_is_not_named(recorded: tuple[Path, Path]) -> None:
    environment, script = recorded
    script.chmod(0o666)
    assert (look_at_installation(environment) or UNIT).source is None
    script.chmod(0o644)
    assert (look_at_installation(environment) or UNIT).source is not None
    script.unlink()
    assert (look_at_installation(environment) or UNIT).source is None


def test_the_installers_command_says_from_where_it_is_run() -> None:
    def command(installation: Installation | None) -> str | None:
        facts = Facts(version="1.0", python="3.11.7", executable="python", is_root=False, installation=installation)
        return facts.install_command

    assert command(None) is None
    assert command(Installation(folder="/srv/box", source="/my source", options=" --prefix /srv/box")) == (
        "sh '/my source/installer/install.sh' --prefix /srv/box"
    )
    assert command(Installation(folder="/opt/appliance", is_system=True)) == (
        "sudo sh installer/install.sh  # in the folder of the appliance's source"
    )
