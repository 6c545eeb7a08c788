"""The embedded model's own vocabulary and template: what it was trained to write is what is read and allowed."""

from pathlib import Path

import pytest

from appliance.backends.llama_cpp.tokenizer import LlamaCppTokenizer
from appliance.core.request import ChatPrompt, Message, ToolChoice
from appliance.engine.chat.speech import ChatFormat
from tests.unit.engine.chat.test_tool_grammar import Walk
from tests.unit.engine.chat.transcripts import TOOLS, parse

GUIDE = Path(__file__).parents[4] / "models" / "default" / "guide.gguf"
CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "北京"}}\n</tool_call>'
ASKED = Message(role="user", content="北京天气？")


@pytest.fixture(scope="module")
def tokenizer() -> LlamaCppTokenizer:
    return LlamaCppTokenizer(str(GUIDE))


def test_the_guides_calls_are_read_as_hermes(tokenizer: LlamaCppTokenizer) -> None:
    chat = ChatFormat(tokenizer)
    prompt = ChatPrompt(messages=(ASKED,), tools=TOOLS)
    rendered = chat.render(prompt)
    assert '{"name": "get_weather", "description": "the weather of a city", "parameters": {' in rendered
    speech = chat.speech(prompt, rendered, has_constraint=False)
    assert parse(speech.family, [CALL]).calls == [["get_weather", '{"city": "北京"}']]


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_the_grammar_allows_what_the_guide_was_trained_to_write(mode: str, tokenizer: LlamaCppTokenizer) -> None:
    chat = ChatFormat(tokenizer)
    prompt = ChatPrompt(messages=(ASKED,), tools=TOOLS, tool_choice=ToolChoice(mode=mode))
    source = chat.speech(prompt, chat.render(prompt), has_constraint=False).tools_grammar
    assert source is not None
    walk = Walk(tokenizer, source)
    assert walk.takes(CALL)
    assert walk.takes(f"{CALL}\n{CALL}")
    assert walk.takes("I do not know that.") is (mode == "auto")
    assert not walk.begins(CALL.replace('"city"', '"days": "many", "city"'))
