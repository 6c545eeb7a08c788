"""An installation from a checkout into a prefix: what it says, what it leaves, what a second run does."""

import json
import re
import subprocess
import time
import tomllib
from pathlib import Path

from tests.installer.sandbox import ROOT, Installation, Sandbox


def test_it_ends_with_an_answer_of_the_model_and_the_three_lines_to_go_on_with(installed: Installation) -> None:
    lines = installed.output.splitlines()
    question = lines.index("      > What are you?")
    assert lines[question + 1].strip(), "the model's answer is missing"
    assert any(line.startswith("      (answered in ") for line in lines[question:])
    assert "  curl http://127.0.0.1:8484/v1/chat/completions" in installed.output
    assert 'OpenAI(base_url="http://127.0.0.1:8484/v1"' in installed.output
    assert f"  '{installed.command}' run guide" in installed.output


def test_its_progress_is_numbered_steps(installed: Installation) -> None:
    assert [line[:5] for line in installed.output.splitlines() if line.startswith("[")] == [
        f"[{number}/7]" for number in range(1, 8)
    ]


def test_the_installed_command_runs_from_any_folder_even_one_that_holds_our_package_names(
    installed: Installation, tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("raise ImportError('someone else')")
    done = subprocess.run(
        [installed.command, "version"], cwd=tmp_path, capture_output=True, text=True, env=installed.sandbox.environ()
    )
    assert done.returncode == 0, done.stderr
    assert "0." in done.stdout


def test_code_and_state_lie_in_the_prefix_and_nothing_lies_elsewhere(installed: Installation) -> None:
    assert {path.name for path in installed.code.iterdir()} == {
        *("INSTALLED", "bin", "current", "state", "uninstall.sh", "versions")
    }
    assert installed.sandbox.leftovers() == [installed.code]
    assert (installed.code / "state").stat().st_mode & 0o077 == 0


def test_no_build_tool_is_left_in_the_environment(installed: Installation) -> None:
    (packages,) = (installed.code / "current" / "venv" / "lib").glob("python3.*/site-packages")
    present = {path.name.partition("-")[0].lower() for path in packages.glob("*.dist-info")}
    assert {"litestar", "llama_cpp_python", "llm_appliance", "numpy"} <= present
    assert not present & {"pip", "setuptools", "cmake", "ninja", "hatchling", "scikit_build_core"}


def test_the_packages_are_those_of_the_lock(installed: Installation) -> None:
    (packages,) = (installed.code / "current" / "venv" / "lib").glob("python3.*/site-packages")
    lock = (ROOT / "installer" / "lock" / "runtime.txt").read_text()
    for folder in packages.glob("*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        if name not in ("llama_cpp_python", "llm_appliance"):
            assert f"{name.replace('_', '-')}=={version} " in lock, f"{name} {version} is not in the lock"


def test_a_second_run_changes_nothing_and_says_so_within_seconds(installed: Installation) -> None:
    before = contents(installed.code)
    began_s = time.monotonic()
    done = installed.sandbox.install(*installed.arguments, root=installed.source)
    assert time.monotonic() - began_s < 10
    assert done.returncode == 0
    assert "nothing changed" in done.stdout
    assert contents(installed.code) == before


def test_a_version_that_gives_no_answer_leaves_the_one_before_in_place(
    installed: Installation, broken_source: Path
) -> None:
    before = contents(installed.code)
    done = installed.sandbox.install(*installed.arguments, root=broken_source)
    assert done.returncode != 0
    assert "broken on purpose" in done.stdout
    assert "the version before is in place" in done.stdout
    assert contents(installed.code) == before
    for folder in installed.sandbox.temporary.iterdir():  # the log, which a failure keeps on purpose
        assert [file.name for file in folder.iterdir()] == ["install.log"]
        (folder / "install.log").unlink()
        folder.rmdir()


def test_the_settings_file_is_there_and_changes_nothing(installed: Installation) -> None:
    done = installed.sandbox.run(installed.command, "config", "show", "--json")
    assert done.returncode == 0, done.stdout
    assert {setting["origin"] for setting in json.loads(done.stdout)} == {"default"}
    assert (installed.code / "state" / "appliance.toml").read_text().startswith("# Settings of the LLM appliance.")


def test_uninstalling_with_keep_models_keeps_the_models_alone_and_then_nothing_is_left(
    installed: Installation,
) -> None:
    blob = installed.code / "state" / "models" / "blobs" / "a"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_text("weights")
    asked = installed.sandbox.run("sh", installed.code / "uninstall.sh", "--keep-models")
    assert asked.returncode == 1 and "say --yes" in asked.stdout and installed.command.exists()
    done = installed.sandbox.run("sh", installed.code / "uninstall.sh", "--keep-models", "--yes")
    assert done.returncode == 0, done.stdout
    assert f"the models are in {installed.code}/state/models" in done.stdout
    assert {path for path in installed.code.rglob("*") if path.is_file()} == {blob}


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(sandbox: Sandbox, wheel: Path) -> None:
    code = sandbox.home / "code"
    done = sandbox.install("--prefix", code, "--wheel", wheel, "--no-start", "--dry-run")
    assert done.returncode == 0, done.stdout
    assert f"code    {code}" in done.stdout and f"state   {code}/state" in done.stdout
    assert "nothing was written" in done.stdout
    assert sandbox.leftovers() == []


def test_what_is_optional_stays_until_it_is_taken_out_again(sandbox: Sandbox, wheel: Path) -> None:
    def planned(*arguments: str) -> str:
        done = sandbox.install("--prefix", code, "--wheel", wheel, "--no-start", "--dry-run", *arguments)
        assert done.returncode == 0, done.stdout
        return next((line.split()[1] for line in done.stdout.splitlines() if line.startswith("      with ")), "")

    code = sandbox.home / "code"
    assert (planned(), planned("--with", "mcp,audio")) == ("", "audio,mcp")
    code.mkdir(parents=True)
    (code / "INSTALLED").write_text(f"llm-appliance installation 1\nid 0-x\nstate {code}/state\nwith mcp\n")
    assert (planned(), planned("--with", "audio"), planned("--with", "none")) == ("mcp", "audio", "")


def test_every_extra_of_the_installer_has_a_lock_that_agrees_with_the_products() -> None:
    product = pinned("runtime")
    for extra in ("mcp", "audio"):
        assert pinned(f"extra-{extra}").items() >= product.items()
        assert extra in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def pinned(lock: str) -> dict[str, str]:
    """Return the versions that a lock holds."""
    text = (ROOT / "installer" / "lock" / f"{lock}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE))


def test_wrong_usage_exits_with_2(sandbox: Sandbox) -> None:
    for arguments in (
        ["--sidewise"],
        ["--prefix"],
        ["--wheel", "a", "--wheel-index", "b"],
        ["--sha256", "0"],
        ["--with", "x"],
    ):
        done = sandbox.install(*arguments)
        assert done.returncode == 2, done.stdout
        assert "see --help" in done.stdout


def test_help_explains_every_option(sandbox: Sandbox) -> None:
    done = sandbox.install("--help")
    assert done.returncode == 0
    options = "--prefix --with --no-start --dry-run --yes --wheel --wheel-index --source --sha256 --python"
    assert all(option in done.stdout for option in options.split())


def contents(folder: Path) -> dict[str, float]:
    """Return every path of the installation with its time of change; the daemon's own state left out."""
    paths = [path for path in folder.rglob("*") if "state" not in path.relative_to(folder).parts[:1]]
    return {str(path): path.lstat().st_mtime for path in paths if path.is_symlink() or path.is_file()}
