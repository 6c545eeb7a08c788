"""The command line speaks the language of the locale to people, and English to programs."""

from collections.abc import Iterator

import pytest

from appliance.words import use_language
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon, loaded, status

CHINESE = {"LANG": "zh_CN.UTF-8"}


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    use_language("en")


def test_a_table_is_aligned_by_the_columns_that_characters_take(appliance: Command, daemon: FakeDaemon) -> None:
    models = (loaded(), loaded("phi4", state="loading", load_ratio=0.5))
    daemon.reply("GET", "/admin/v1/status", status(*models))
    daemon.refuse("GET", "/admin/v1/requests", 403, "operators only")

    lines = appliance("ps", **CHINESE).out.splitlines()

    assert lines[0].startswith("服务中，")
    head, ready, half = lines[3:6]
    assert head.startswith("名称   状态        后端")
    assert ready.startswith("guide  就绪        llama_cpp")
    assert half.startswith("phi4   加载中 50%  llama_cpp")


def test_help_and_wrong_usage_are_translated(run: Command) -> None:
    assert run("--help", **CHINESE).out.startswith("用法：appliance")
    assert "让模型常驻内存" in run("models", "--help", **CHINESE).out
    assert run("keys", "create", **CHINESE).err == "appliance: 缺少参数：NAME；参见 'appliance keys create --help'\n"


def test_an_error_is_translated_and_json_never_is(run: Command) -> None:
    assert "没有守护进程应答" in run("ps", **CHINESE).err
    assert "no daemon answers" in run("ps", "--json", **CHINESE).err


def test_no_help_of_any_command_breaks_in_chinese(run: Command) -> None:
    """argparse replaces what follows a `%` in a help text, also in a translated one."""
    for command in ("models add", "models quantize", "models find", "cache warm", "bench", "logs", "doctor", "serve"):
        assert run(*command.split(), "--help", **CHINESE).code == 0
