"""`appliance connect`: what it writes, shows, keeps, puts back and refuses."""

import json
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.cli.clients.connections import Connections
from appliance.core.admin import CreatedKey, KeyInfo, Keys
from tests.unit.cli.conftest import Command, Result
from tests.unit.cli.fake_daemon import FakeDaemon, installed, status

Connect = Callable[..., Result]


@pytest.fixture
def person(tmp_path: Path) -> Path:
    """The folder of a person who has Claude Code."""
    settings = tmp_path / "person" / ".claude" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"model": "opus"}\n')
    return tmp_path / "person"


@pytest.fixture
def connect(appliance: Command, daemon: FakeDaemon, person: Path) -> Connect:
    """Return a function that runs the command for that person, at a daemon without keys."""
    daemon.reply("GET", "/admin/v1/status", status())
    daemon.reply("GET", "/admin/v1/models/guide", installed(context_tokens=2048))
    daemon.reply("GET", "/admin/v1/keys", Keys(keys=()))
    return lambda *argv, **environ: appliance("connect", *argv, HOME=str(person), PATH=str(person), **environ)


def asks_for_keys(daemon: FakeDaemon, name: str) -> None:
    daemon.reply("GET", "/admin/v1/keys", Keys(keys=(KeyInfo(name="laptop", scope="use", options={}),)))
    daemon.reply("POST", "/admin/v1/keys", CreatedKey(name=name, scope="use", key="sk-made"), 201)


def test_without_a_name_the_clients_are_listed(connect: Connect, person: Path) -> None:
    lines = {line.split()[0]: line.split()[1:] for line in connect().out.splitlines()}
    assert lines["claude-code"] == ["yes", "-", str(person / ".claude" / "settings.json")]
    assert lines["vscode"] == ["-", "-", "by", "hand"]
    assert len(lines) == 13


def test_a_configuration_is_merged_shown_and_put_back(connect: Connect, daemon: FakeDaemon, person: Path) -> None:
    file = person / ".claude" / "settings.json"
    result = connect("claude-code")

    settings = json.loads(file.read_text())
    assert settings["model"] == "opus" and settings["env"]["ANTHROPIC_BASE_URL"] == daemon.url
    assert f'+    "ANTHROPIC_BASE_URL": "{daemon.url}",' in result.out
    backup = next(line.split(": ")[1] for line in result.out.splitlines() if "held before" in line)
    assert Path(backup).read_text() == '{"model": "opus"}\n'
    assert "appliance connect claude-code --undo" in result.out
    assert "claude-code  yes        yes" in connect().out

    assert connect("claude-code", "--undo").code == 0
    assert file.read_text() == '{"model": "opus"}\n'
    assert connect("claude-code", "--undo").code == 4


def test_print_touches_nothing(connect: Connect, daemon: FakeDaemon, person: Path, tmp_path: Path) -> None:
    asks_for_keys(daemon, "x")
    result = connect("claude-code", "--print")
    assert "+" in result.out and "A-KEY-THAT-IS-MADE" in result.out
    assert (person / ".claude" / "settings.json").read_text() == '{"model": "opus"}\n'
    assert not (tmp_path / "connections").exists()
    assert all(asked.method == "GET" for asked in daemon.asked)


def test_where_there_are_keys_one_is_made_and_ended_with_the_connection(
    connect: Connect, daemon: FakeDaemon, person: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "node", lambda: "my box")
    asks_for_keys(daemon, "codex.my-box")
    result = connect("codex")
    assert daemon.last("POST", "/admin/v1/keys").body == {"name": "codex.my-box", "scope": "use"}
    assert 'experimental_bearer_token = "sk-made"' in (person / ".codex" / "appliance.config.toml").read_text()
    assert "the key 'codex.my-box' was made" in result.out

    daemon.reply("DELETE", "/admin/v1/keys/codex.my-box", {})
    assert "is not valid any more" in connect("codex", "--undo").out
    assert not (person / ".codex").exists()


def test_one_who_may_make_no_key_is_asked_for_one(connect: Connect, daemon: FakeDaemon, person: Path) -> None:
    daemon.refuse("GET", "/admin/v1/keys", 403, "this key may not")
    result = connect("codex")
    assert result.code == 4 and "--key" in result.err
    assert connect("codex", "--key", "sk-mine").code == 0
    assert "sk-mine" in (person / ".codex" / "appliance.config.toml").read_text()


def test_what_cannot_be_read_is_left_as_it_is_and_no_key_is_made(
    connect: Connect, daemon: FakeDaemon, person: Path
) -> None:
    asks_for_keys(daemon, "x")
    (person / ".claude" / "settings.json").write_text('{"model": \n')
    result = connect("claude-code")
    assert result.code == 4 and "is left as it is: it is not JSON in line 2" in result.err
    assert (person / ".claude" / "settings.json").read_text() == '{"model": \n'
    assert all(asked.method == "GET" for asked in daemon.asked)


def test_a_file_that_changed_since_is_only_put_back_by_force(connect: Connect, person: Path) -> None:
    file = person / ".claude" / "settings.json"
    connect("claude-code")
    file.write_text("{}")
    result = connect("claude-code", "--undo")
    assert result.code == 4 and "--force" in result.err and file.read_text() == "{}"
    assert connect("claude-code", "--undo", "--force").code == 0
    assert file.read_text() == '{"model": "opus"}\n'


def test_another_file_and_another_model_may_be_named(connect: Connect, daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.reply("GET", "/admin/v1/models/qwen3", installed("qwen3"))
    file = tmp_path / "proxy.yaml"
    file.write_text("model_list:\n- model_name: gpt\n")
    result = connect("litellm", "--file", str(file), "--model", "qwen3", "--json")
    assert "openai/qwen3" in file.read_text() and "model_name: gpt" in file.read_text()
    assert isinstance(result.json, dict) and result.json["backup"]


def test_what_is_configured_by_hand_is_told_whole(connect: Connect, daemon: FakeDaemon, tmp_path: Path) -> None:
    assert f"OPENAI_API_BASE_URL={daemon.url}/v1" in connect("open-webui").out
    assert connect("open-webui", "--file", str(tmp_path / "x")).code == 2
    assert not (tmp_path / "x").exists()


def test_a_key_for_what_is_configured_by_hand_is_made_and_named(connect: Connect, daemon: FakeDaemon) -> None:
    asks_for_keys(daemon, "x")
    result = connect("langchain")
    assert "api_key='sk-made'" in result.out and "appliance connect langchain --undo" in result.out


def test_a_key_that_a_person_entered_is_ended_by_undo(
    connect: Connect, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "node", lambda: "box")
    asks_for_keys(daemon, "x")
    daemon.reply("DELETE", "/admin/v1/keys/langchain.box", {})
    connect("langchain")
    assert "langchain    -          yes" in connect().out

    assert "The key 'langchain.box' was" not in connect("langchain", "--print").out
    undone = connect("langchain", "--undo")
    assert "Take out of LangChain" in undone.out and "'langchain.box' is not valid any more" in undone.out
    assert [asked.path for asked in daemon.asked if asked.method == "DELETE"] == ["/admin/v1/keys/langchain.box"]
    assert connect("langchain", "--undo").code == 4


@pytest.mark.parametrize("client", ["langchain", "codex"])
def test_the_key_before_is_good_until_the_new_one_stands_in_its_place(
    connect: Connect, daemon: FakeDaemon, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "node", lambda: "box")
    asks_for_keys(daemon, "x")
    connect(client)
    former, new = f"{client}.box", f"{client}.box.2"
    daemon.reply("GET", "/admin/v1/keys", Keys(keys=(KeyInfo(name=former, scope="use", options={}),)))
    daemon.reply("DELETE", f"/admin/v1/keys/{former}", {})
    result = connect(client)

    assert f"'{former}' is not valid any more" in result.out
    changes = [(asked.method, asked.path) for asked in daemon.asked if asked.method != "GET"][-2:]
    assert changes == [("POST", "/admin/v1/keys"), ("DELETE", f"/admin/v1/keys/{former}")]
    assert daemon.last("POST", "/admin/v1/keys").body["name"] == new
    daemon.reply("DELETE", f"/admin/v1/keys/{new}", {})
    assert f"'{new}' is not valid any more" in connect(client, "--undo").out


def test_a_write_that_fails_ends_the_new_key_and_not_the_one_that_is_used(
    connect: Connect, daemon: FakeDaemon, person: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "node", lambda: "box")
    asks_for_keys(daemon, "x")
    connect("codex")
    daemon.reply("GET", "/admin/v1/keys", Keys(keys=(KeyInfo(name="codex.box", scope="use", options={}),)))
    daemon.reply("DELETE", "/admin/v1/keys/codex.box.2", {})

    def refuse(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Connections, "write", refuse)
    assert connect("codex").code == 1
    assert [asked.path for asked in daemon.asked if asked.method == "DELETE"] == ["/admin/v1/keys/codex.box.2"]


def test_what_makes_no_sense_is_wrong_usage(connect: Connect) -> None:
    assert connect("notepad").code == 2 and "known are" in connect("notepad").err
    assert connect("--undo").code == 2 and connect("codex", "--force").code == 2


def test_without_a_daemon_nothing_is_written_but_undo_works(run: Command, connect: Connect, person: Path) -> None:
    connect("codex")
    assert run("connect", "aider", HOME=str(person)).code == 3
    assert not (person / ".aider.conf.yml").exists()
    assert run("connect", "codex", "--undo", HOME=str(person)).code == 0
