"""The clients that are known: each is told the box's address, key and model in a file that it can read."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.cli.clients.client import Box, Client, Places
from appliance.cli.clients.detect import where
from appliance.cli.clients.known import CLIENTS

BOX = Box(url="http://127.0.0.1:8484", key="sk-ours", model="qwen3:4b", context_tokens=16_384)
OPEN = Box(url="http://127.0.0.1:8484", key=None, model="qwen3:4b", context_tokens=None)
WRITTEN = [client for client in CLIENTS if client.entry is not None]


def parsed(path: Path, text: str) -> Any:
    if path.suffix == ".json":
        return json.loads(text)
    return tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)


def file_of(client: Client, home: Path) -> Path:
    return client.file(Places({"HOME": str(home)})) if client.file else Path("config.yaml")


def test_all_that_were_promised_are_known() -> None:
    assert {client.name for client in CLIENTS} == {
        "open-webui",
        "continue",
        "codex",
        "claude-code",
        "aider",
        "cline",
        "zed",
        "vscode",
        "langchain",
        "litellm",
        "llm",
        "opencode",
    }


@pytest.mark.parametrize("client", WRITTEN, ids=lambda client: client.name)
@pytest.mark.parametrize("box", [BOX, OPEN], ids=["with a key", "without"])
def test_what_is_written_names_the_box_and_the_model(client: Client, box: Box, tmp_path: Path) -> None:
    assert client.entry is not None
    text = client.entry(box).merge("")
    values = json.dumps(parsed(file_of(client, tmp_path), text))
    assert "http://127.0.0.1:8484" in values and "qwen3:4b" in values
    assert "sk-ours" in values if box.key and client.name != "zed" else "sk-ours" not in values
    assert client.entry(box).merge(text) == text, "a second time changes nothing"


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_what_remains_is_said(client: Client) -> None:
    steps = client.steps(BOX)
    assert steps and max(map(len, steps.splitlines())) <= 120
    if client.file is None and client.name != "litellm":
        assert "sk-ours" in steps and BOX.openai_url in steps, "nothing has to be guessed"


def test_claude_code_asks_the_root_and_every_tier_is_the_model(tmp_path: Path) -> None:
    claude = next(client for client in CLIENTS if client.name == "claude-code")
    assert claude.entry is not None
    before = '{\n  "permissions": {"allow": ["Read"]},\n  "env": {"EDITOR": "vi"}\n}\n'
    settings = json.loads(claude.entry(BOX).merge(before))
    assert settings["permissions"] == {"allow": ["Read"]} and settings["env"].pop("EDITOR") == "vi"
    assert (
        settings["env"].pop("ANTHROPIC_BASE_URL") == BOX.url
        and settings["env"].pop("ANTHROPIC_AUTH_TOKEN") == "sk-ours"
    )
    assert set(settings["env"].values()) == {"qwen3:4b"}


@pytest.mark.parametrize("reads_pictures", [True, False])
def test_editors_are_told_whether_the_model_sees(reads_pictures: bool) -> None:
    zed, vscode = (next(client for client in CLIENTS if client.name == name) for name in ("zed", "vscode"))
    box = replace(BOX, reads_pictures=reads_pictures)
    assert zed.entry is not None
    written = json.loads(zed.entry(box).merge(""))
    (model,) = written["language_models"]["openai_compatible"]["Appliance"]["available_models"]
    assert model["capabilities"]["images"] is reads_pictures
    assert f'"vision": {json.dumps(reads_pictures)}' in vscode.steps(box)


def test_a_program_is_found_by_its_command_or_its_folder(tmp_path: Path) -> None:
    codex = next(client for client in CLIENTS if client.name == "codex")
    places = Places({"HOME": str(tmp_path), "PATH": str(tmp_path / "bin")})
    assert where(codex, places) is None
    (tmp_path / ".codex").mkdir()
    assert where(codex, places) == str(tmp_path / ".codex")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "codex").touch(0o755)
    assert where(codex, places) == str(tmp_path / "bin" / "codex")


def test_a_folder_that_is_named_elsewhere_is_used(tmp_path: Path) -> None:
    codex = next(client for client in CLIENTS if client.name == "codex")
    opencode = next(client for client in CLIENTS if client.name == "opencode")
    assert codex.file is not None and opencode.file is not None
    assert codex.file(Places({"CODEX_HOME": "/elsewhere"})) == Path("/elsewhere/appliance.config.toml")
    (tmp_path / "opencode").mkdir()
    places = Places({"XDG_CONFIG_HOME": str(tmp_path)})
    assert opencode.file(places).name == "opencode.json"
    (tmp_path / "opencode" / "opencode.jsonc").touch()
    assert opencode.file(places).name == "opencode.jsonc"
