import pytest

from appliance.core.request import Tool, ToolChoice
from appliance.engine.tool_schemas import enforceable
from appliance.errors import InvalidRequest

AUTO, REQUIRED = ToolChoice(), ToolChoice(mode="required")
PLAIN = Tool(name="plain", parameters={"type": "object", "properties": {"a": {"type": "string"}}})
BARE = Tool(name="bare")
ODD_SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?<=x)y"}}}
ENDLESS_SCHEMA = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}


def test_a_schema_that_can_be_enforced_stays() -> None:
    (tool,) = enforceable([PLAIN], AUTO)
    assert tool.parameters["properties"] == {"a": {"type": "string"}}


def test_a_tool_without_parameters_takes_none() -> None:
    (tool,) = enforceable([BARE], AUTO)
    assert tool.parameters == {"type": "object", "properties": {}, "additionalProperties": False}


def test_only_the_named_tool_may_be_called() -> None:
    assert [tool.name for tool in enforceable([PLAIN, BARE], ToolChoice(mode="required", name="bare"))] == ["bare"]


@pytest.mark.parametrize("schema", [ODD_SCHEMA, ENDLESS_SCHEMA])
def test_a_schema_that_cannot_be_enforced_allows_all_unless_it_has_to_be(schema: dict[str, object]) -> None:
    assert enforceable([Tool(name="f", parameters=schema)], AUTO)[0].parameters == {"type": "object"}
    for tool, choice in (
        (Tool(name="f", parameters=schema, is_strict=True), AUTO),
        (Tool(name="f", parameters=schema), REQUIRED),
    ):
        with pytest.raises(InvalidRequest) as refused:
            enforceable([PLAIN, tool], choice)
        assert refused.value.param == "tools[1]"


def test_what_is_not_named_need_not_be_enforced() -> None:
    odd = Tool(name="f", parameters=ODD_SCHEMA)
    assert len(enforceable([PLAIN, odd], ToolChoice(mode="required", name="plain"))) == 1
