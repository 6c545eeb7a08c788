"""`appliance serve` reads the settings and hands over."""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

from appliance.errors import Forbidden
from appliance.settings import LoadedSettings
from tests.unit.cli.conftest import Command


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[LoadedSettings, Path]]:
    """What the daemon was started with."""
    calls: list[tuple[LoadedSettings, Path]] = []
    app = ModuleType("appliance.app")
    app.serve = lambda loaded, home, environ: calls.append((loaded, home)) or 0
    monkeypatch.setitem(sys.modules, "appliance.app", app)
    return calls


def test_flags_go_before_the_file(run: Command, served: list[tuple[LoadedSettings, Path]], tmp_path: Path) -> None:
    (tmp_path / "appliance.toml").write_text("[server]\nport = 1\nhost = 'localhost'")

    result = run("serve", "--port", "2", "--ollama-port", "11434", "--model", "a", "b", "--model", "c")

    [(loaded, home)] = served
    assert (result.code, home) == (0, tmp_path)
    assert (loaded.settings.server.port, loaded.settings.server.host) == (2, "localhost")
    assert loaded.settings.server.ollama_port == 11434
    assert loaded.origins["server.ollama_port"] == "--ollama-port"
    assert loaded.settings.models.default_model == "a"
    assert loaded.settings.models.pinned == ("a", "b", "c")


def test_a_settings_file_that_is_named_takes_the_place_of_the_usual_one(
    run: Command, served: list[tuple[LoadedSettings, Path]], tmp_path: Path
) -> None:
    (tmp_path / "appliance.toml").write_text("[server]\nport = 1")
    (tmp_path / "other.toml").write_text("[log]\nlevel = 'debug'")

    run("serve", "--config", str(tmp_path / "other.toml"))

    settings = served[0][0].settings
    assert (settings.server.port, settings.log.level) == (8484, "debug")


@pytest.mark.parametrize(
    "argv", [["--port", "99999"], ["--ollama-port", "-1"], ["--config", "/nowhere.toml"], ["--port", "x"]]
)
def test_what_cannot_be_is_wrong_usage_and_starts_nothing(
    run: Command, served: list[tuple[LoadedSettings, Path]], argv: list[str]
) -> None:
    assert run("serve", *argv).code == 2
    assert served == []


def test_a_daemon_that_may_not_start_is_refused_in_its_words(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(loaded: LoadedSettings, home: Path, environ: Mapping[str, str]) -> int:
        raise Forbidden("0.0.0.0 is not loopback; make a key first: appliance keys create NAME")

    app = ModuleType("appliance.app")
    app.serve = refuse
    monkeypatch.setitem(sys.modules, "appliance.app", app)

    result = run("serve", "--host", "0.0.0.0")

    assert result.code == 4
    assert result.err == "appliance: 0.0.0.0 is not loopback; make a key first: appliance keys create NAME\n"
