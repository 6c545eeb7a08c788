"""`appliance mcp`, started and asked by the SDK's own client, as a program with a model in it does."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from appliance.cli.main import main
from appliance.cli.mcp import REQUIREMENT
from appliance.cli.mcp_tools import TOOLS
from appliance.core.caller import Scope
from tests.api.conftest import Daemon
from tests.conftest import RealDaemon, environment, running_daemon

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
COMMAND = ["-c", "from appliance.cli.main import entry; entry()", "mcp"]
READING = {"status", "list_models", "show_model", "search_catalogue"}
OPERATING = READING | {"load_model", "unload_model", "pull_model", "list_jobs", "show_job", "cancel_job"}


def with_client(environ: dict[str, str], use: Callable[[Client], Awaitable[Any]]) -> Any:
    """Start the command and return what `use` found out of it."""

    async def run() -> Any:
        async with Client(StdioServerParameters(command=sys.executable, args=COMMAND, env=environ)) as client:
            return await use(client)

    return asyncio.run(run())


def answer_of(environ: dict[str, str], tool: str, **arguments: str) -> Any:
    async def call(client: Client) -> Any:
        result = await client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        return result.structured_content

    return with_client(environ, call)


def refusal_of(environ: dict[str, str], tool: str, **arguments: str) -> str:
    async def call(client: Client) -> str:
        result = await client.call_tool(tool, arguments)
        assert result.is_error
        return "".join(block.text for block in result.content if block.type == "text")

    text: str = with_client(environ, call)
    return text


def key_of(daemon: Daemon, home: Path, scope: Scope) -> dict[str, str]:
    """Return the environment of somebody with a key of that scope."""
    key = daemon.do(lambda: daemon.parts.keys.create(f"an-{scope}-key", scope)).key
    return environment(home, APPLIANCE_URL=daemon.url, APPLIANCE_API_KEY=key)


def test_a_model_is_loaded_and_unloaded_in_a_real_daemon(real_daemon: RealDaemon) -> None:
    async def try_all(client: Client) -> None:
        assert client.server_info.name == "llm-appliance"
        asked: tuple[tuple[str, dict[str, str]], ...] = (
            ("list_models", {}),
            ("unload_model", {"model": "guide"}),
            ("load_model", {"model": "guide"}),
            ("status", {}),
            ("doctor", {}),
        )
        said = {name: (await client.call_tool(name, arguments)).structured_content for name, arguments in asked}
        assert [model["name"] for model in said["list_models"]["models"]] == ["guide"]
        assert said["unload_model"]["state"] != "ready"
        assert said["load_model"]["state"] == "ready"
        assert [model["name"] for model in said["status"]["models"]] == ["guide"]
        assert said["doctor"]["findings"]

    with_client(environment(real_daemon.home), try_all)


@pytest.mark.parametrize(
    ("scope", "wanted"), [("use", READING), ("operate", OPERATING), ("admin", {tool.name for tool in TOOLS})]
)
def test_a_key_is_offered_what_it_may_do(daemon: Daemon, tmp_path: Path, scope: Scope, wanted: set[str]) -> None:
    async def names(client: Client) -> set[str]:
        return {tool.name for tool in (await client.list_tools()).tools}

    assert with_client(key_of(daemon, tmp_path, scope), names) == wanted


def test_a_tool_that_was_not_offered_does_nothing(daemon: Daemon, tmp_path: Path) -> None:
    assert "unload_model" in refusal_of(key_of(daemon, tmp_path, "use"), "unload_model", model="guide")


def test_every_tool_says_what_it_is_for_and_whether_it_changes_something(daemon: Daemon, tmp_path: Path) -> None:
    async def tools(client: Client) -> list[Any]:
        return list((await client.list_tools()).tools)

    listed = with_client(key_of(daemon, tmp_path, "admin"), tools)
    assert all(len(tool.description) > 40 for tool in listed)
    changing = {tool.name for tool in listed if not tool.annotations.read_only_hint}
    assert changing == {"load_model", "unload_model", "pull_model", "cancel_job"}
    assert [tool.name for tool in listed if tool.annotations.destructive_hint] == ["cancel_job"]


def test_a_pull_is_a_job_that_can_be_looked_at(tmp_path: Path) -> None:
    with running_daemon(tmp_path / "home") as daemon:
        environ = environment(daemon.home)
        job = answer_of(environ, "pull_model", reference=str(tmp_path / "no-such.gguf"))
        assert (job["kind"], job["caller"]) == ("pull", "local")
        daemon.wait_until(lambda: daemon.client.job(job["id"]).has_ended)
        assert "no-such.gguf" in answer_of(environ, "show_job", job_id=job["id"])["error"]["message"]
        assert [each["id"] for each in answer_of(environ, "list_jobs")["jobs"]] == [job["id"]]
        assert "cannot be cancelled" in refusal_of(environ, "cancel_job", job_id=job["id"])


def test_what_goes_wrong_is_said_as_the_daemon_says_it(daemon: Daemon, tmp_path: Path) -> None:
    text = refusal_of(key_of(daemon, tmp_path, "use"), "show_model", model="nobody")
    assert "model 'nobody' not found" in text


def test_a_wrong_key_ends_the_command_with_a_sentence(
    daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.do(lambda: daemon.parts.keys.create("somebody", "use"))
    environ = {"APPLIANCE_HOME": str(tmp_path), "APPLIANCE_URL": daemon.url, "APPLIANCE_API_KEY": "sk-wrong"}
    assert main(["mcp"], environ) == 4
    printed = capsys.readouterr()
    assert (printed.out, "the key is not valid" in printed.err) == ("", True)


def test_without_the_sdk_the_command_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    assert main(["mcp"], {"APPLIANCE_HOME": str(tmp_path)}) == 1
    assert f"--python {sys.executable} install '{REQUIREMENT}'" in capsys.readouterr().err


def test_the_version_that_it_names_is_that_of_the_extra() -> None:
    assert PYPROJECT.read_text().count(f'"{REQUIREMENT}",') == 2
