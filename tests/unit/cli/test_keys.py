"""`appliance keys`, with a daemon and without."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from appliance.core.admin import CreatedKey, KeyInfo
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon

KEYS = "/admin/v1/keys"
ENTRY = "from appliance.cli.main import entry; entry()"


def test_create_shows_the_key_once_and_how_to_use_it(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("POST", KEYS, CreatedKey(name="laptop", scope="operate", key="sk-1"), 201)

    out = appliance("keys", "create", "laptop", "--scope", "operate").out

    assert daemon.asked[-1].body == {"name": "laptop", "scope": "operate"}
    assert out.startswith("sk-1\n")
    assert f"curl -H 'Authorization: Bearer sk-1' {daemon.url}/v1/models" in out


def test_list_shows_scopes_and_options(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", KEYS, {"keys": [KeyInfo(name="proxy", scope="use", options={"weight": "2", "header": "X-Me"})]})

    assert appliance("keys", "list").out.splitlines() == [
        "NAME   SCOPE  OPTIONS",
        "proxy  use    weight=2 header=X-Me",
    ]


def test_revoke_asks_the_daemon(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("DELETE", f"{KEYS}/laptop", None)

    assert appliance("keys", "revoke", "laptop").code == 0
    assert daemon.asked[-1].method == "DELETE"


def test_without_a_daemon_the_keys_file_is_changed_itself(run: Command, tmp_path: Path) -> None:
    created = run("keys", "create", "laptop", "--json").json

    assert created["scope"] == "use"
    assert run("keys", "list", "--json").json == [{"name": "laptop", "scope": "use", "options": {}}]
    assert created["key"] not in (tmp_path / "keys").read_text()

    assert run("keys", "revoke", "laptop").code == 0
    assert "there is no key" in run("keys", "list").out


@pytest.mark.parametrize("argv", [["create", "laptop"], ["create", "not a name"], ["revoke", "other"]])
def test_without_a_daemon_what_cannot_be_is_refused(run: Command, argv: list[str]) -> None:
    run("keys", "create", "laptop")

    assert run("keys", *argv).code == 4


def test_a_scope_that_does_not_exist_is_wrong_usage(run: Command) -> None:
    result = run("keys", "create", "laptop", "--scope", "root")

    assert result.code == 2
    assert "'use', 'operate', 'admin'" in result.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_what_root_makes_belongs_to_the_owner_of_the_state() -> None:
    nobody = 65534
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, nobody, nobody)
        environ = os.environ | {"APPLIANCE_HOME": folder}
        (Path(folder) / "run").mkdir()
        (Path(folder) / "run" / "daemon.json").write_text('{"url": "http://127.0.0.1:9"}')

        command = [sys.executable, "-c", ENTRY, "keys", "create", "laptop"]
        subprocess.run(command, env=environ, check=True, capture_output=True)

        assert (Path(folder) / "keys").stat().st_uid == nobody
