"""How commands end: exit codes, one sentence for each error, and nothing loaded that a command does not need."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.cli import ps
from appliance.cli.main import main
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon

STATUS = "/admin/v1/status"
ENTRY = "from appliance.cli.main import entry; entry()"


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, None, 4),
        (401, "invalid_api_key", 4),
        (403, "forbidden", 4),
        (404, "model_not_found", 4),
        (409, "conflict", 4),
        (429, "rate_limit_exceeded", 75),
        (500, "backend_error", 1),
        (503, "model_loading", 75),
        (503, "draining", 75),
        (503, "does_not_fit", 4),
    ],
)
def test_the_daemons_answer_decides_the_exit_code(
    appliance: Command, daemon: FakeDaemon, status: int, code: str | None, exit_code: int
) -> None:
    daemon.refuse("GET", STATUS, status, "the daemon's words", code)

    result = appliance("ps")

    assert (result.code, result.out, result.err) == (exit_code, "", "appliance: the daemon's words\n")


def test_without_a_daemon_the_command_says_how_to_start_one(run: Command) -> None:
    result = run("ps")

    assert result.code == 3
    assert result.err == "appliance: no daemon answers at http://127.0.0.1:9; start one with 'appliance serve'\n"


@pytest.mark.parametrize("argv", [["models"], ["nonsense"], ["ps", "--nonsense"], ["models", "show"], ["ps", "--js"]])
def test_wrong_usage_is_one_line_that_points_to_the_help(run: Command, argv: list[str]) -> None:
    result = run(*argv)

    assert result.code == 2
    assert result.err.startswith("appliance: ")
    assert result.err.count("\n") == 1
    assert "--help'" in result.err


def test_a_bad_setting_is_wrong_usage(run: Command) -> None:
    result = run("config", "show", APPLIANCE_SERVER__PORT="no")

    assert result.code == 2
    assert result.err.startswith("appliance: APPLIANCE_SERVER__PORT: server.port cannot be 'no'")


def test_what_nobody_expected_is_a_sentence_and_with_debug_a_traceback(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(status: object) -> list[str]:
        raise RuntimeError("boom")

    monkeypatch.setattr("appliance.cli.context.Context.client", fail)

    plain, debug = run("ps"), run("ps", "--debug")

    assert plain.code == debug.code == 1
    assert plain.err == (
        "appliance: something unexpected happened (RuntimeError: boom); run it again with --debug to see where\n"
    )
    assert "Traceback" in debug.err


def test_ctrl_c_ends_a_command_quietly(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(context: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("appliance.cli.context.Context.client", interrupt)

    assert run("ps") == type(run("version"))(130, "", "")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    command = [sys.executable, "-c", ENTRY, "config", "show"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)

    assert (done.returncode, done.stderr) == (0, b"")


def test_bytes_that_are_no_text_in_a_pipe_are_no_error(daemon: FakeDaemon) -> None:
    daemon.stream("/v1/chat/completions", b"[DONE]")
    environ = os.environ | {"APPLIANCE_URL": daemon.url}

    command = [sys.executable, "-c", ENTRY, "chat"]
    done = subprocess.run(command, input=b"what is \xff?", env=environ, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
    assert daemon.asked[-1].body["messages"][0]["content"] == "what is \N{REPLACEMENT CHARACTER}?"


def test_quick_commands_import_nothing_slow() -> None:
    slow = "{'httpx', 'rich', 'litestar', 'numpy', 'uvicorn', 'models.store', 'appliance.app'}"
    nobody = {"APPLIANCE_URL": "http://127.0.0.1:9"}
    code = (
        f"import sys; from appliance.cli.main import main; main(['ps'], {nobody}); print(*({slow} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""


def test_without_arguments_the_help_is_shown(run: Command) -> None:
    assert run() == run("--help")
    assert run().code == 0


@pytest.mark.parametrize("argv", [["version"], ["--version"]])
def test_the_version_is_one_line(run: Command, argv: list[str]) -> None:
    result = run(*argv)

    assert (result.code, result.out.split()[0], result.out.count("\n")) == (0, "appliance", 1)


def test_the_version_as_json_names_python_too(run: Command) -> None:
    assert set(run("version", "--json").json) == {"appliance", "python"}


def test_the_key_comes_from_the_environment_else_from_the_daemons_file(
    appliance: Command, daemon: FakeDaemon, tmp_path: Path
) -> None:
    appliance("ps")
    (tmp_path / "run" / "local.key").write_text("sk-file\n")
    appliance("ps")
    appliance("ps", APPLIANCE_API_KEY="sk-environment")

    sent = [asked.headers.get("Authorization") for asked in daemon.asked]
    assert sent == [None, "Bearer sk-file", "Bearer sk-environment"]


def test_the_daemon_of_this_home_is_found_by_its_file(run: Command, daemon: FakeDaemon, tmp_path: Path) -> None:
    (tmp_path / "run" / "daemon.json").write_text(f'{{"url": "{daemon.url}", "pid": 1}}')

    run("ps")

    assert daemon.asked[-1].path == STATUS


def test_without_any_address_the_usual_one_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(ps, "_run", lambda arguments, context: asked.append(context.client().url) or 0)

    main(["ps"], {"APPLIANCE_HOME": str(tmp_path)})

    assert asked == ["http://127.0.0.1:8484"]
