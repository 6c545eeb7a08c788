"""A user's installation as a download makes it: piped into a shell, from an archive, with the daemon left running."""

import hashlib
import http.server
import json
import os
import socket
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.installer.sandbox import ROOT, Sandbox

SCRIPT = ROOT / "installer" / "install.sh"


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pipe(sandbox: Sandbox, *arguments: str | Path, **changes: str) -> tuple[int, str]:
    """Run install.sh as the standard input of a shell; return its exit status and what it said."""
    done = sandbox.run("sh", "-s", "--", *arguments, stdin=SCRIPT.read_bytes(), **changes)
    return done.returncode, done.stdout


@pytest.fixture
def port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


@pytest.fixture
def served(archive: Path) -> Iterator[str]:
    """Return the archive's address on an HTTP server of the test's own."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(archive.parent))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{archive.name}"
        server.shutdown()
        thread.join()


@pytest.fixture
def wheel_index(wheel: Path, tmp_path: Path) -> str:
    """Return the address of a package index that holds nothing but the wheel."""
    folder = tmp_path / "index" / "llama-cpp-python"
    folder.mkdir(parents=True)
    (folder / wheel.name).symlink_to(wheel)
    (folder / "index.html").write_text(f'<!DOCTYPE html><a href="{wheel.name}">{wheel.name}</a>')
    return folder.parent.as_uri()


def test_a_piped_installation_runs_the_daemon_and_uninstalling_leaves_nothing(
    sandbox: Sandbox, wheel_index: str, served: str, archive: Path, port: str
) -> None:
    user = sandbox.as_ordinary_user()
    command = user.home / ".local" / "bin" / "appliance"
    try:
        status, said = pipe(
            *(user, "--source", served, "--sha256", checksum(archive), "--wheel-index", wheel_index),
            APPLIANCE_SERVER__PORT=port,
        )
        assert status == 0, said
        assert f"a ready wheel from {wheel_index}, its checksum unverified" in said
        assert f"The appliance is running: http://127.0.0.1:{port}" in said
        assert f'export PATH="{command.parent}:$PATH"' in said
        assert command.resolve() == (user.home / ".local/lib/appliance/bin/appliance").resolve()
        assert answer(port)
        settings = user.home / ".local/share/appliance/appliance.toml"
        assert f"\nport = {port}\n" in settings.read_text(), "the daemon would start on another port next time"

        status, said = pipe(user, "--source", archive, "--wheel-index", wheel_index)
        assert status == 0 and "nothing changed" in said and f"running: http://127.0.0.1:{port}" in said, said
    finally:
        done = user.run("sh", user.home / ".local/lib/appliance/uninstall.sh", "--yes")
    assert done.returncode == 0, done.stdout
    assert "nothing of it is left" in done.stdout
    assert user.leftovers() == []
    with pytest.raises(OSError):
        answer(port)


def test_a_daemon_that_does_not_start_leaves_the_state_as_it_was_and_nothing_else(
    sandbox: Sandbox, wheel: Path, port: str
) -> None:
    code = sandbox.home / "code"
    settings = code / "state" / "appliance.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[server]\nhost = "0.0.0.0"\n')  # refused: there is no key yet
    done = sandbox.install("--prefix", code, "--wheel", wheel, APPLIANCE_SERVER__PORT=port)
    assert done.returncode != 0, done.stdout
    assert "keys create" in done.stdout, "the daemon's own reason is missing"
    assert "nothing was installed" in done.stdout
    assert [path.name for path in code.iterdir()] == ["state"]
    assert settings.read_text() == '[server]\nhost = "0.0.0.0"\n'


def answer(port: str) -> str:
    """Return what the running daemon's default model says."""
    body = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return str(json.load(reply)["choices"][0]["message"]["content"])


def test_an_archive_with_another_checksum_is_refused(sandbox: Sandbox, archive: Path, wheel: Path) -> None:
    arguments = ("--wheel", wheel, "--no-start", "--prefix", sandbox.home / "code", "--dry-run")
    status, said = pipe(sandbox, "--source", archive, "--sha256", "0" * 64, *arguments)
    assert status == 1
    assert checksum(archive) in said and "0" * 64 in said
    status, said = pipe(sandbox, "--source", archive, "--sha256", checksum(archive).upper(), *arguments)
    assert status == 0, said
    assert sandbox.leftovers() == []


def test_an_address_that_can_be_changed_on_its_way_wants_a_checksum(sandbox: Sandbox, served: str) -> None:
    status, said = pipe(sandbox, "--source", served)
    assert status == 1
    assert "add --sha256" in said
    assert sandbox.leftovers() == []


def test_what_is_no_archive_of_the_appliance_is_refused(sandbox: Sandbox, other_archive: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.tar.gz"
    text.write_text("not an archive")
    for source, reason in [
        (other_archive, "holds no installer/install.sh"),
        (text, "no archive that tar can unpack"),
        (tmp_path / "absent.tar.gz", "there is no archive"),
    ]:
        status, said = pipe(sandbox, "--source", source)
        assert status == 1 and reason in said, said
    assert sandbox.leftovers() == []


def test_piped_without_a_source_it_asks_for_one(sandbox: Sandbox) -> None:
    status, said = pipe(sandbox)
    assert status == 1
    assert "--source ARCHIVE|URL" in said


def test_an_ordinary_user_gets_the_folders_below_home(sandbox: Sandbox, wheel: Path) -> None:
    user = sandbox.as_ordinary_user()
    done = user.install("--wheel", wheel, "--no-start", "--dry-run")
    assert done.returncode == 0, done.stdout
    assert f"code    {user.home}/.local/lib/appliance\n" in done.stdout
    assert f"state   {user.home}/.local/share/appliance\n" in done.stdout
    assert f"command {user.home}/.local/bin/appliance\n" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may write to the system's folders")
def test_root_gets_the_folders_of_the_system(sandbox: Sandbox, wheel: Path) -> None:
    done = sandbox.install("--wheel", wheel, "--no-start", "--dry-run")
    assert done.returncode == 0, done.stdout
    assert "code    /opt/appliance\n" in done.stdout and "state   /var/lib/appliance\n" in done.stdout
    assert "command /usr/local/bin/appliance\n" in done.stdout and "user    appliance" in done.stdout
