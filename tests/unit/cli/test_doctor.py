"""`appliance doctor`: what it prints, what it mends, what it exits with."""

import io
import sys
from pathlib import Path

import pytest

from appliance.cli.main import main
from appliance.core.doctor import Diagnosis, Finding, Repair
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon

ANY_PORT = {"APPLIANCE_SERVER__PORT": "0"}
"""Whatever else listens on this machine, an appliance in use among it, is no finding."""

FINE = Finding(check="clock", state="ok", title="the clock is plausible")
SLOW = Finding(check="disk.speed", state="warning", title="models are read slowly", reason="an SD card", mend="do this")
BROKEN = Finding(check="settings", state="error", title="no daemon starts\x1b[2J", reason="line 3", mend="vi x")


def test_the_worst_is_shown_first_with_the_command_that_mends_it(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", "/admin/v1/doctor", Diagnosis(findings=(BROKEN, SLOW, FINE), worst="error"))
    result = appliance("doctor")

    assert result.code == 1
    assert result.out.splitlines() == [
        "error    no daemon starts[2J",
        "         line 3",
        "         $ vi x",
        "warning  models are read slowly",
        "         an SD card",
        "         $ do this",
        "",
        "1 error, 1 warning; 1 check found nothing wrong (--verbose lists them).",
    ]


def test_warnings_alone_are_no_failure_and_what_is_fine_can_be_listed(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", "/admin/v1/doctor", Diagnosis(findings=(SLOW, FINE), worst="warning"))

    assert appliance("doctor").code == 0
    assert "the clock is plausible" not in appliance("doctor").out
    assert "ok       the clock is plausible" in appliance("doctor", "--verbose").out


def test_programs_get_the_whole_diagnosis(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", "/admin/v1/doctor", Diagnosis(findings=(BROKEN,), worst="error"))
    result = appliance("doctor", "--json")

    assert result.code == 1
    assert isinstance(result.json, dict) and result.json["worst"] == "error"


def test_another_machine_is_never_mended_from_here(appliance: Command, daemon: FakeDaemon, tmp_path: Path) -> None:
    elsewhere = Repair(kind="make_folder", path=str(tmp_path / "made"))
    finding = Finding(check="x", state="note", title="x", repair=elsewhere)
    daemon.reply("GET", "/admin/v1/doctor", Diagnosis(findings=(finding,), worst="note"))

    assert appliance("doctor", "--fix", "--yes").code == 4
    assert not (tmp_path / "made").exists()


def test_a_daemon_that_was_named_and_does_not_answer_is_said(run: Command) -> None:
    assert run("doctor", APPLIANCE_URL="http://127.0.0.1:9").code == 3


def test_yes_without_fix_is_wrong_usage(run: Command) -> None:
    assert run("doctor", "--yes").code == 2


@pytest.fixture
def open_keys(tmp_path: Path) -> Path:
    """A keys file that everybody can read, in a home that has no daemon."""
    keys = tmp_path / "keys"
    keys.touch()
    keys.chmod(0o644)
    return keys


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_without_a_daemon_the_files_are_looked_at(run: Command, open_keys: Path) -> None:
    result = run("doctor")

    assert result.code == 1
    assert f"$ chmod 600 {open_keys}" in result.out
    assert "no daemon runs" in result.out
    assert mode(open_keys) == 0o644, "without --fix nothing changes"


def test_settings_that_cannot_be_read_are_a_finding_with_the_line(run: Command, tmp_path: Path) -> None:
    (tmp_path / "appliance.toml").write_text("[server]\nport = = 1\n")
    result = run("doctor")

    assert result.code == 1
    assert "line 2" in " ".join(result.out.split())


def test_fix_asks_for_nothing_without_a_terminal_and_changes_nothing(run: Command, open_keys: Path) -> None:
    result = run("doctor", "--fix")

    assert result.code == 1
    assert "Nothing was changed" in result.err and "--yes" in result.err
    assert mode(open_keys) == 0o644


def test_fix_with_yes_mends_and_looks_again(run: Command, open_keys: Path) -> None:
    result = run("doctor", "--fix", "--yes", **ANY_PORT)

    assert result.code == 0
    assert "chmod" not in result.out
    assert mode(open_keys) == 0o600
    assert not (open_keys.parent / "run" / "daemon.json").exists(), "what a killed daemon left is gone"


class Terminal(io.StringIO):
    """Standard input with a person at it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "expected"), [("y\n", 0o600), ("\n", 0o644), ("", 0o644)])
def test_fix_on_a_terminal_does_what_is_agreed_to(
    open_keys: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    expected: int,
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    main(("doctor", "--fix"), {"APPLIANCE_HOME": str(open_keys.parent)})

    assert f"set the mode of {open_keys} to 600? [y/N]" in capsys.readouterr().err
    assert mode(open_keys) == expected


def test_fix_keeps_json_clean(run: Command, open_keys: Path) -> None:
    result = run("doctor", "--fix", "--yes", "--json", **ANY_PORT)

    assert isinstance(result.json, dict) and result.json["worst"] == "note"
