"""Bodies that no client would send: each is understood, or refused with its field."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.request import RequestId
from appliance.dialects.decode import decode_json
from appliance.dialects.responses.items import take_in
from appliance.dialects.responses.prompt import prompt_of, response_to_core
from appliance.dialects.responses.request import ResponseRequest, check
from appliance.dialects.responses.response import encode, new_response
from appliance.errors import InvalidRequest

WORDS = ("message", "function_call", "reasoning", "item_reference", "user", "assistant", "custom", "function", "auto")
KINDS = ("namespace", "allowed_tools", "grammar", "regex", "lark", "json_schema", "required", "input_text", "a\x00b")
KEYS = ("type", "id", "role", "content", "text", "call_id", "name", "arguments", "input", "output", "summary", "tools")
MORE_KEYS = ("encrypted_content", "format", "syntax", "definition", "schema", "effort", "namespace", "mode", "strict")
FIELDS = ("instructions", "conversation", "tools", "tool_choice", "reasoning", "text", "truncation", "background")
MORE_FIELDS = ("include", "max_output_tokens", "metadata", "store", "stream", "temperature", "user", "top_logprobs")

keys = st.sampled_from(KEYS + MORE_KEYS)
leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(WORDS + KINDS)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6), max_leaves=12
)
objects = st.lists(st.dictionaries(keys, values, max_size=6), max_size=3)
fields = st.dictionaries(st.sampled_from(FIELDS + MORE_FIELDS), values, max_size=5)


def understand(body: dict[str, Any]) -> None:
    wire = decode_json(msgspec.json.encode(body), ResponseRequest)
    check(wire)
    items = take_in(wire.input, "x")
    prompt, _ = prompt_of(wire, items)
    response_to_core(wire, prompt, RequestId("x"), "m")
    encode(items)
    encode(new_response(wire, "resp_x", "m", 0.0, is_stored=True))


@given(fields=fields, items=objects | st.just("Hi"), tools=objects)
def test_any_body_is_understood_or_refused(fields: dict[str, Any], items: Any, tools: Any) -> None:
    try:
        understand({"input": items, "tools": tools, **fields})
    except InvalidRequest as error:
        assert error.message
