"""`appliance config show`."""

from pathlib import Path

from appliance.core.settings_view import ChangedSettings, SettingChange
from appliance.settings import load
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon


def test_every_value_is_shown_with_where_it_came_from(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "appliance.toml"
    file.write_text("[server]\nport = 9000\nallowed_hosts = ['a', 'b']")

    environ = {"APPLIANCE_LOG__LEVEL": "debug", "APPLIANCE_NORMALIZERS__HOSTED_TOOLS": "off"}
    lines = run("config", "show", **environ).out.splitlines()

    shown = [" ".join(line.split()) for line in lines]
    assert str(file) in shown[0]
    assert f"server.port 9000 {file}:server.port" in shown
    assert f"server.allowed_hosts a, b {file}:server.allowed_hosts" in shown
    assert "log.level debug APPLIANCE_LOG__LEVEL" in shown
    assert "engine.threads (chosen by the machine) default" in shown
    assert "server.ollama_port (none) default" in shown
    assert (
        "normalizers.hosted_tools off APPLIANCE_NORMALIZERS__HOSTED_TOOLS responses "
        "Codex: Tools that only the provider's servers run are left out, not refused."
    ) in shown
    assert any(line.startswith("normalizers.claude_code_billing on default anthropic Claude Code: ") for line in shown)
    assert len(lines) == 5 + len(load(None, {}, {}).origins)


def test_json_keeps_the_types(run: Command) -> None:
    entries = {entry["key"]: entry for entry in run("config", "show", "--json").json}

    assert entries["server.port"] == {"key": "server.port", "value": 8484, "origin": "default"}
    assert entries["engine.threads"]["value"] is None


def test_a_value_is_changed_by_the_daemon_if_one_answers(appliance: Command, daemon: FakeDaemon) -> None:
    change = SettingChange(key="server.port", before=8484, value=9000, takes_effect="restart")
    daemon.reply("PATCH", "/admin/v1/settings", ChangedSettings(file="/f", backup="/f.before", changes=(change,)))

    done = appliance("config", "set", "server.port", "9000")

    assert daemon.last("PATCH", "/admin/v1/settings").body == {"set": {"server.port": "9000"}}
    assert done.out == (
        "server.port = 9000, was 8484; it counts from the next start on\n/f; what it held before: /f.before\n"
    )


def test_without_a_daemon_the_file_itself_is_changed_and_changed_back(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "appliance.toml"
    file.write_text("# mine\n[models]\n# pinned = []\n")

    done = run("config", "set", "models.pinned", "a, b", APPLIANCE_MODELS__PINNED="c")
    assert done.out.startswith("models.pinned = a,b, was (none); APPLIANCE_MODELS__PINNED goes before it\n")
    assert file.read_text() == '# mine\n[models]\n# pinned = []\npinned = ["a", "b"]\n'

    assert run("config", "unset", "models.pinned", "--json").json["changes"][0]["takes_effect"] == "restart"
    assert file.read_text() == "# mine\n[models]\n# pinned = []\n"

    done = run("config", "set", "normalizers.hosted_tools", "off")
    assert done.out.startswith("normalizers.hosted_tools = off, was on;"), "as 'config show' has them"


def test_a_wrong_value_is_wrong_usage_and_writes_nothing(run: Command, tmp_path: Path) -> None:
    done = run("config", "set", "server.prot", "1")
    assert (done.code, "did you mean 'server.port'" in done.err) == (2, True)
    assert not (tmp_path / "appliance.toml").exists()
