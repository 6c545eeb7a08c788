"""uninstall.sh on its own: what it refuses, and what it leaves to others."""

from pathlib import Path

import pytest

from tests.installer.sandbox import ROOT, Sandbox

SCRIPT = ROOT / "installer" / "uninstall.sh"


@pytest.fixture
def code(sandbox: Sandbox) -> Path:
    """Return the folder of an installation, reduced to what uninstall.sh knows about."""
    code = sandbox.home / "made" / "code"
    for folder in ("versions/1/venv", "bin", "wheels", "state/models/blobs", "state/run"):
        (code / folder).mkdir(parents=True)
    (code / "state" / "keys").write_text("key")
    (code / "state" / "models" / "blobs" / "a").write_text("weights")
    (code / "bin" / "appliance").write_text("#!/bin/sh\n")
    (code / "uninstall.sh").write_text(SCRIPT.read_text())
    made = f"made {code}\nmade {sandbox.home}/made\n"
    (code / "INSTALLED").write_text(f"llm-appliance installation 1\nid 1\nstate {code}/state\n{made}")
    return code


def uninstall(sandbox: Sandbox, script: Path, *arguments: str | Path) -> tuple[int, str]:
    done = sandbox.run("sh", script, *arguments)
    return done.returncode, done.stdout


def test_nothing_is_left_not_even_the_folders_on_the_way(sandbox: Sandbox, code: Path) -> None:
    status, said = uninstall(sandbox, code / "uninstall.sh", "--yes")
    assert (status, said) == (0, "The appliance is removed; nothing of it is left.\n")
    assert sandbox.leftovers() == []


def test_a_folder_that_is_no_installation_is_never_touched(sandbox: Sandbox, code: Path) -> None:
    (code / "INSTALLED").unlink()
    status, said = uninstall(sandbox, SCRIPT, "--prefix", code, "--yes")
    assert status == 1
    assert "is no installation of the appliance, so nothing was removed" in said
    assert (code / "state" / "keys").exists()


def test_without_a_terminal_it_wants_to_hear_yes(sandbox: Sandbox, code: Path) -> None:
    status, said = uninstall(sandbox, SCRIPT, "--prefix", code)
    assert status == 1 and "say --yes" in said
    assert (code / "state" / "keys").exists()


def test_keep_models_keeps_the_models_and_says_where(sandbox: Sandbox, code: Path) -> None:
    status, said = uninstall(sandbox, code / "uninstall.sh", "--yes", "--keep-models")
    assert (status, said) == (0, f"The appliance is removed; the models are in {code}/state/models.\n")
    assert [path for path in code.rglob("*") if path.is_file()] == [code / "state/models/blobs/a"]


def test_keep_state_removes_the_code_alone(sandbox: Sandbox, code: Path) -> None:
    status, _ = uninstall(sandbox, code / "uninstall.sh", "--yes", "--keep-state")
    assert status == 0
    assert [path.name for path in code.iterdir()] == ["state"]
    assert (code / "state" / "keys").read_text() == "key"


def test_a_file_that_someone_else_put_there_stays(sandbox: Sandbox, code: Path) -> None:
    (code / "letter.txt").write_text("mine")
    status, said = uninstall(sandbox, code / "uninstall.sh", "--yes")
    assert status == 0 and f"other files are left in {code}" in said
    assert [path.name for path in code.iterdir()] == ["letter.txt"]


def test_a_link_that_leads_elsewhere_by_now_stays(sandbox: Sandbox, code: Path) -> None:
    link = sandbox.folder / "appliance"
    link.symlink_to("/bin/sh")
    with (code / "INSTALLED").open("a") as record:
        record.write(f"link {link}\n")
    assert uninstall(sandbox, code / "uninstall.sh", "--yes")[0] == 0
    assert link.is_symlink()
