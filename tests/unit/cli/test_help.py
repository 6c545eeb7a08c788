"""Every command teaches itself: its help works, fits 80 columns and shows an example."""

import argparse
from collections.abc import Iterator

import pytest

from appliance.cli.main import _parser
from tests.unit.cli.conftest import Command


def commands(parser: argparse.ArgumentParser, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from commands(child, *path, name)


COMMANDS = list(commands(_parser()))


def test_the_commands_of_the_specification_are_there() -> None:
    verbs = {path[1] for path in COMMANDS if path[:1] == ("models",) and len(path) == 2}

    assert verbs >= {
        "list",
        "add",
        "show",
        "rm",
        "load",
        "unload",
        "pin",
        "convert",
        "quantize",
        "compare",
        "search",
        "recommend",
    }
    assert {("keys", "create"), ("keys", "list"), ("keys", "revoke"), ("config", "show")} <= set(COMMANDS)
    assert {path[0] for path in COMMANDS if path} >= {"serve", "run", "chat", "ps", "version"}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_explains_with_an_example_and_the_exit_codes(
    run: Command, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    result = run(*path, "--help")

    assert result.code == 0
    examples = result.out.partition("\nexamples:\n")[2].partition("\n\n")[0].splitlines()
    assert examples
    assert all("appliance " + " ".join(path) in line for line in examples)
    assert "exit codes:" in result.out
    assert max(map(len, result.out.splitlines())) <= 80


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_that_does_something_speaks_json(run: Command, path: tuple[str, ...]) -> None:
    # `doctor` examines the machine, and holds a command that examines more
    holds_commands = any(other[:-1] == path for other in COMMANDS) and path != ("doctor",)

    assert ("--json" in run(*path, "--help").out) != holds_commands
