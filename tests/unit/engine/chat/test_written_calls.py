import pytest

from appliance.core.request import ToolCall
from appliance.engine.chat.family_choice import FAMILIES
from appliance.engine.chat.syntax import Family
from appliance.engine.chat.written_calls import write_calls
from tests.unit.engine.chat.transcripts import BY_NAME, TOOLS, parse

CALLS = (
    ToolCall(id="a", name="get_weather", arguments='{"city": "Oslo", "days": 2}'),
    ToolCall(id="b", name="now", arguments="{}"),
)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_what_is_written_for_a_family_is_a_call_to_it_or_to_the_generic_one(family: Family) -> None:
    text = write_calls(family, CALLS)
    reader = BY_NAME["generic"] if text.startswith("<tool_call>\n{") else family
    assert parse(reader, [text], tools=TOOLS).calls == [
        ["get_weather", '{"city": "Oslo", "days": 2}'],
        ["now", "{}"],
    ]


def test_a_family_that_calls_in_a_list_or_in_python_has_its_calls_so() -> None:
    assert write_calls(BY_NAME["nemotron"], CALLS[1:]) == '<TOOLCALL>[{"name": "now", "arguments": {}}]</TOOLCALL>'
    assert (
        write_calls(BY_NAME["lfm"], CALLS)
        == "<|tool_call_start|>[get_weather(city='Oslo', days=2), now()]<|tool_call_end|>"
    )
