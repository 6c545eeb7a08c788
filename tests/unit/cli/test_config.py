"""`appliance config show`."""

from pathlib import Path

from appliance.settings import load
from tests.unit.cli.conftest import Command


def test_every_value_is_shown_with_where_it_came_from(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "appliance.toml"
    file.write_text("[server]\nport = 9000\nallowed_hosts = ['a', 'b']")

    lines = run("config", "show", APPLIANCE_LOG__LEVEL="debug").out.splitlines()

    shown = [" ".join(line.split()) for line in lines]
    assert str(file) in shown[0]
    assert f"server.port 9000 {file}:server.port" in shown
    assert f"server.allowed_hosts a, b {file}:server.allowed_hosts" in shown
    assert "log.level debug APPLIANCE_LOG__LEVEL" in shown
    assert "engine.threads (chosen by the machine) default" in shown
    assert "server.ollama_port (none) default" in shown
    assert len(lines) == 2 + len(load(None, {}, {}).origins)


def test_json_keeps_the_types(run: Command) -> None:
    entries = {entry["key"]: entry for entry in run("config", "show", "--json").json}

    assert entries["server.port"] == {"key": "server.port", "value": 8484, "origin": "default"}
    assert entries["engine.threads"]["value"] is None
