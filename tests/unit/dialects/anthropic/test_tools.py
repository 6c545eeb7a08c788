"""Which tools the model is told of, and which of them it has to call."""

from collections.abc import Sequence
from typing import Any

import pytest

from appliance.core.request import Tool, ToolChoice
from appliance.dialects.anthropic.content import MessageWire
from appliance.dialects.anthropic.messages import PromptFields
from appliance.dialects.anthropic.tools import ToolChoiceWire, ToolWire, tool_choice_of
from appliance.dialects.anthropic.tools import tools_of as tools_of_wires
from appliance.errors import InvalidRequest
from tests.normalized import normalized

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = ToolWire(name="weather", description="Tell the weather.", input_schema=SCHEMA, strict=True)
SEARCH = ToolWire(type="web_search_20250305", name="web_search")
BASH = ToolWire(type="bash_20250124", name="bash")


def asked(wires: Sequence[ToolWire], choice: ToolChoiceWire | None = None) -> PromptFields:
    messages = [MessageWire(role="user", content="Hi")]
    return normalized(PromptFields(messages=messages, tools=list(wires), tool_choice=choice))


def tools_of(wires: Sequence[ToolWire]) -> tuple[Tool, ...]:
    return tools_of_wires(asked(wires).tools or [])


def chosen(wires: Sequence[ToolWire], **choice: Any) -> ToolChoice:
    wire = asked(wires, ToolChoiceWire(**choice))
    return tool_choice_of(wire.tool_choice, tools_of_wires(wire.tools or []))


def test_a_tool_with_a_schema_is_a_function() -> None:
    tool = Tool(name="weather", description="Tell the weather.", parameters=SCHEMA, is_strict=True)
    assert tools_of([WEATHER]) == (tool,)
    assert tools_of([ToolWire(type="custom", name="x", input_schema={})]) == (Tool(name="x"),)


@pytest.mark.parametrize(
    ("type", "name", "inputs"),
    [
        ("bash_20250124", "bash", {"command", "restart"}),
        (
            "text_editor_20250728",
            "str_replace_based_edit_tool",
            {"command", "path", "view_range", "file_text", "old_str", "new_str", "insert_line", "insert_text"},
        ),
        (
            "text_editor_20250124",
            "str_replace_editor",
            {"command", "path", "view_range", "file_text", "old_str", "new_str", "insert_line"},
        ),
    ],
)
def test_a_tool_that_the_client_runs_is_a_function_with_the_inputs_it_reads(
    type: str, name: str, inputs: set[str]
) -> None:
    (tool,) = tools_of([ToolWire(type=type, name=name)])
    assert (tool.name, set(tool.parameters["properties"])) == (name, inputs)
    assert tool.description
    assert tools_of([ToolWire(type=type)]) == (tool,)


def test_only_the_older_editor_takes_an_edit_back() -> None:
    older, newer = tools_of(
        [ToolWire(type="text_editor_20250124", name="a"), ToolWire(type="text_editor_20250728", name="b")]
    )
    assert "undo_edit" in older.parameters["properties"]["command"]["enum"]
    assert "undo_edit" not in newer.parameters["properties"]["command"]["enum"]


@pytest.mark.parametrize(
    "type",
    ["web_search_20250305", "web_fetch_20260309", "code_execution_20250825", "mcp_toolset", "computer_20250124"],
)
def test_a_tool_that_nobody_here_can_run_is_left_out(type: str) -> None:
    assert [tool.name for tool in tools_of([ToolWire(type=type, name="x"), WEATHER])] == ["weather"]


@pytest.mark.parametrize(
    ("choice", "meant"),
    [
        ({"type": "auto"}, ToolChoice()),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice(is_parallel=False)),
        ({"type": "any"}, ToolChoice(mode="required")),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice(mode="required", is_parallel=False)),
        ({"type": "tool", "name": "weather"}, ToolChoice(mode="required", name="weather")),
        ({"type": "none"}, ToolChoice(mode="none")),
        ({"type": "tool", "name": "web_search"}, ToolChoice()),
    ],
)
def test_a_choice_means_what_it_says(choice: dict[str, Any], meant: ToolChoice) -> None:
    assert chosen([SEARCH, WEATHER], **choice) == meant


def test_no_choice_leaves_it_to_the_model() -> None:
    assert tool_choice_of(None, tools_of([WEATHER])) == ToolChoice()
    assert chosen([SEARCH], type="any") == ToolChoice()


@pytest.mark.parametrize("tools", [[WEATHER], [SEARCH, WEATHER]], ids=["plain", "with one of the provider's"])
@pytest.mark.parametrize(
    ("choice", "param"),
    [({"type": "tool"}, "tool_choice.name"), ({"type": "tool", "name": "x"}, "tool_choice.name")],
)
def test_a_choice_that_nothing_meets_is_refused(tools: list[ToolWire], choice: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        chosen(tools, **choice)
    assert caught.value.param == param
    with pytest.raises(InvalidRequest) as caught:
        chosen([], type="any")
    assert caught.value.param == "tool_choice"


@pytest.mark.parametrize(
    ("wires", "param"),
    [
        ([ToolWire(name="x")], "tools[0].input_schema"),
        ([BASH, ToolWire(input_schema={})], "tools[1].name"),
        ([BASH, ToolWire(name="bash", input_schema={})], "tools"),
    ],
)
def test_a_tool_without_its_parts_is_refused_by_its_place(wires: list[ToolWire], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        tools_of(wires)
    assert caught.value.param == param
