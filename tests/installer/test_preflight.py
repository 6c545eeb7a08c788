"""What is missing is said in one sentence with the command that mends it, before anything is written."""

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.installer.sandbox import ROOT, Sandbox, python_path


def refuse(sandbox: Sandbox, *arguments: str | Path, **changes: str) -> str:
    """Return the refusal of an installation into the sandbox; nothing may be left of it."""
    done = sandbox.install("--prefix", sandbox.home / "code", *arguments, **changes)
    assert done.returncode == 1, done.stdout
    assert sandbox.leftovers() == []
    return done.stdout.removeprefix("[1/7] Checking this machine\n")


def assert_one_sentence(message: str) -> None:
    assert message.startswith("appliance: ")
    assert message.count("\n") == 1


@pytest.fixture
def debian(sandbox: Sandbox) -> Sandbox:
    """Return a sandbox whose package manager is Debian's."""
    sandbox.tool("apt-get", "exit 1")
    return sandbox


def test_a_missing_compiler_is_named_with_the_command_that_installs_it(debian: Sandbox) -> None:
    message = refuse(debian, "--no-start")
    assert_one_sentence(message)
    assert "compiler" in message
    assert "apt-get install -y build-essential" in message


def test_without_any_python_the_command_that_installs_one_is_named(debian: Sandbox) -> None:
    (debian.tools / "python3").unlink()
    message = refuse(debian, "--no-start")
    assert_one_sentence(message)
    assert "no Python of at least 3.11" in message
    assert "apt-get install -y python3 python3-venv" in message


def test_a_python_that_is_too_old_is_no_python(debian: Sandbox) -> None:
    debian.tool("python3", "exit 1")
    message = refuse(debian, "--no-start")
    assert_one_sentence(message)
    assert "apt-get install -y python3.11 python3.11-venv" in message


def test_a_python_without_ensurepip_is_mended_by_its_venv_package(debian: Sandbox, tmp_path: Path) -> None:
    base = tmp_path / "python3"  # as Debian's: complete but for this one module
    base.write_text(
        f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; *sys._base_executable*) echo "$0" ;; '
        f'*) exec "{python_path()}" "$@" ;; esac\n'
    )
    base.chmod(0o755)
    (debian.tools / "python3").unlink()
    (debian.tools / "python3").symlink_to(base)
    message = refuse(debian, "--no-start")
    assert_one_sentence(message)
    assert "lacks the venv and ensurepip modules" in message
    version = subprocess.check_output([python_path(), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    assert f"apt-get install -y python{version.decode().strip()}-venv" in message


def test_a_named_python_that_does_not_fit_is_refused(sandbox: Sandbox) -> None:
    message = refuse(sandbox, "--no-start", "--python", "/nowhere/python3")
    assert_one_sentence(message)
    assert "/nowhere/python3 is not a Python of at least 3.11" in message


def test_too_little_disk_is_refused_with_both_numbers(sandbox: Sandbox, wheel: Path) -> None:
    sandbox.tool("df", "echo head; echo /dev/disk 9999999 9000000 102400 99% /")
    message = refuse(sandbox, "--no-start", "--wheel", wheel)
    assert_one_sentence(message)
    assert "100 MB free" in message and "700 MB are needed" in message
    assert "--prefix DIR" in message


def test_a_busy_port_is_refused_with_the_command_that_takes_another(sandbox: Sandbox, wheel: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        message = refuse(sandbox, "--wheel", wheel, APPLIANCE_SERVER__PORT=port)
        assert_one_sentence(message)
        assert f"port {port} is in use" in message
        assert "APPLIANCE_SERVER__PORT=8485 sh installer/install.sh" in message
        idle = sandbox.install(
            "--prefix", sandbox.home, "--wheel", wheel, "--no-start", "--dry-run", APPLIANCE_SERVER__PORT=port
        )
        assert idle.returncode == 0, "a daemon that isn't started needs no port"


def test_a_folder_that_holds_other_files_is_never_installed_into(sandbox: Sandbox, wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    done = sandbox.install("--prefix", tmp_path, "--wheel", wheel, "--no-start")
    assert done.returncode == 1
    assert "holds other files" in done.stdout
    assert (tmp_path / "letter.txt").exists() and not (tmp_path / "versions").exists()


def test_two_installations_into_one_folder_do_not_run_at_once(sandbox: Sandbox, wheel: Path) -> None:
    code = sandbox.home / "code"
    (code / ".staging").mkdir(parents=True)
    (code / ".staging" / "pid").write_text(f"{os.getpid()}\n")
    arguments = ("--prefix", code, "--wheel", wheel, "--no-start", "--dry-run")
    done = sandbox.install(*arguments)
    assert done.returncode == 1
    assert f"process {os.getpid()}" in done.stdout
    (code / ".staging" / "pid").write_text(f"{2**22 + 1}\n")  # past the largest process id: that run has died
    assert sandbox.install(*arguments).returncode == 0


def test_another_program_of_the_same_name_is_never_replaced(sandbox: Sandbox, wheel: Path) -> None:
    user = sandbox.as_ordinary_user()
    command = user.home / ".local" / "bin" / "appliance"
    command.parent.mkdir(parents=True)
    command.write_text("someone else's")
    done = user.install("--wheel", wheel, "--no-start")
    assert done.returncode == 1
    assert f"{command} is another program's" in done.stdout
    assert command.read_text() == "someone else's"


def test_a_wheel_that_is_none_is_refused(sandbox: Sandbox) -> None:
    assert "is no llama-cpp-python wheel" in refuse(sandbox, "--no-start", "--wheel", "/bin/sh")
    assert "there is no /nowhere/" in refuse(sandbox, "--no-start", "--wheel", "/nowhere/llama_cpp_python-1.whl")


def test_an_index_that_cannot_be_reached_leaves_nothing_but_the_log(sandbox: Sandbox, wheel: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_NO_CACHE_DIR": "1", "PIP_CONFIG_FILE": os.devnull}
    others = {"PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "", "PIP_RETRIES": "0"}
    done = sandbox.install("--prefix", sandbox.home / "code", "--wheel", wheel, "--no-start", **nowhere, **others)
    assert done.returncode == 1
    assert "the package index could not be reached" in done.stdout
    assert "python3 -m pip download" in done.stdout
    (log_folder,) = sandbox.leftovers()
    assert f"{log_folder}/install.log" in done.stdout


def test_an_interrupt_leaves_nothing_behind(sandbox: Sandbox, wheel: Path, interrupt: Callable[..., str]) -> None:
    output = interrupt(sandbox, "--prefix", sandbox.home / "code", "--wheel", wheel, "--no-start")
    assert "stopped; nothing was installed" in output
    assert sandbox.leftovers() == []


@pytest.fixture
def interrupt() -> Callable[..., str]:
    """Return a function that starts an installation, presses Ctrl-C when it fetches, and returns what it said."""

    def press(sandbox: Sandbox, *arguments: str | Path) -> str:
        # Where the tests themselves run in the background, Ctrl-C is ignored, and a shell cannot take that back.
        command = ["env", "--default-signal=INT", "sh", str(ROOT / "installer" / "install.sh"), "--yes"]
        with subprocess.Popen(
            [*command, *map(str, arguments)],
            env=sandbox.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("[2/7]"):
                    break
            os.killpg(process.pid, 2)
            rest = process.stdout.read()
            assert process.wait() == 130, rest
        return rest

    return press
