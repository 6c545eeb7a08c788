import json
import random
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from llguidance import LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

from appliance.backends.base import Tokenizer
from appliance.backends.echo_tokenizer import EchoTokenizer
from appliance.core.request import Tool, ToolChoice
from appliance.engine.chat.families import GENERIC, HARMONY, HERMES, LLAMA, MISTRAL_LIST, QWEN_CODER
from appliance.engine.chat.family_choice import FAMILIES
from appliance.engine.chat.syntax import Family
from appliance.engine.chat.tool_grammar import Layout, answer_grammar
from appliance.engine.grammar_vocabulary import make_grammar_vocabulary
from tests.unit.engine.chat.markers import MarkerTokenizer, markers_of
from tests.unit.engine.chat.transcripts import Answer, parse

REQUIRED, AUTO = ToolChoice(mode="required"), ToolChoice()
TOOLS = [
    Tool(
        name="get_weather",
        parameters={
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "minimum": 1, "maximum": 9},
                "unit": {"enum": ["C", "F"]},
                "deep": {
                    "type": "object",
                    "properties": {
                        "flag": {"type": "boolean"},
                        "list": {"type": "array", "items": {"type": "integer"}},
                    },
                    "required": ["flag"],
                    "additionalProperties": False,
                },
            },
            "required": ["city", "deep"],
            "additionalProperties": False,
        },
    ),
    Tool(name="now", parameters={"type": "object", "properties": {}, "additionalProperties": False}),
]

_ENDS = (
    "<|end|>",
    "\n</parameter>\n",
    "</parameter>\n",
    "</arg_value>\n",
    "</｜DSML｜parameter>\n",
    "<escape>",
    '<|"|>',
    '"',
    "]",
    "}",
)


class Walk:
    """A grammar, followed over a vocabulary; the control tokens are shown as the detokenizer shows them."""

    def __init__(self, tokenizer: Tokenizer, source: str) -> None:
        self.tokenizer = tokenizer
        vocabulary: LLTokenizer = make_grammar_vocabulary(tokenizer)
        self.matcher = LLMatcher(vocabulary, LLMatcher.grammar_from_lark(source), log_level=0)
        assert not self.matcher.is_error(), (self.matcher.get_error(), source)
        self._mask = allocate_token_bitmask(1, tokenizer.vocab_size)

    def allowed(self) -> list[int]:
        fill_next_token_bitmask(self.matcher, self._mask)
        bits = np.unpackbits(self._mask.view(np.uint8)[0], bitorder="little")
        return np.flatnonzero(bits[: self.tokenizer.vocab_size]).tolist()

    def takes(self, text: str) -> bool:
        """Whether the text may be written and the answer may end there."""
        tokens = self.tokenizer.encode(text, parse_special=True, add_bos=False).tolist()
        return self.matcher.validate_tokens(tokens) == len(tokens) and self._ends_after(tokens)

    def begins(self, text: str) -> bool:
        """Whether an answer may begin so."""
        tokens = self.tokenizer.encode(text, parse_special=True, add_bos=False).tolist()
        return self.matcher.validate_tokens(tokens) == len(tokens)

    def wander(self, seed: int) -> str:
        """Return what somebody writes who knows nothing but the grammar, and how texts and objects are ended."""
        chance, written = random.Random(seed), list[int]()
        while not self.matcher.is_stopped() and len(written) < 2000:
            allowed = self.allowed()
            if self.tokenizer.eos_ids & set(allowed):
                break
            token = chance.choice(
                [token for token in allowed if token == 10 or 32 <= token < 127 or token > 255] or allowed
            )
            tokens = next((end for end in self._ends() if chance.random() < 0.4), [token])
            self.matcher.consume_tokens(tokens)
            written += tokens
        assert len(written) < 2000
        names = (self.tokenizer.token_bytes(token) or self.tokenizer.special_text(token).encode() for token in written)
        return b"".join(names).decode()

    def _ends(self) -> list[list[int]]:
        ends = [self.tokenizer.encode(end, parse_special=True, add_bos=False).tolist() for end in _ENDS]
        return [end for end in ends if self.matcher.validate_tokens(end) == len(end)]

    def _ends_after(self, tokens: list[int]) -> bool:
        copy = self.matcher.deep_copy()
        copy.consume_tokens(tokens)
        return copy.is_accepting()


def walk(
    family: Family,
    choice: ToolChoice,
    *,
    tokenizer: Tokenizer | None = None,
    tools: list[Tool] = TOOLS,
    has_constraint: bool = False,
    **layout: bool,
) -> Walk:
    tokenizer = tokenizer or MarkerTokenizer(markers_of(family))
    control = {
        text: int(tokenizer.encode(text, parse_special=True, add_bos=False)[0])
        for text in markers_of(family)
        if len(tokenizer.encode(text, parse_special=True, add_bos=False)) == 1
    }
    source = answer_grammar(
        Layout(family, control, may_think=layout.pop("may_think", False), **layout),
        [tool for tool in tools if choice.name in (None, tool.name)],
        choice,
        has_constraint=has_constraint,
    )
    assert source is not None
    return Walk(tokenizer, f'{source}\ncontent: %json {{"type": "integer"}}' if has_constraint else source)


def check_calls(answer: Answer) -> None:
    for name, text in answer.calls:
        arguments = json.loads(text)
        if name == "now":
            assert arguments == {}
        else:
            assert name == "get_weather"
            assert isinstance(arguments["city"], str)
            assert isinstance(arguments["deep"]["flag"], bool)
            assert set(arguments) <= {"city", "days", "unit", "deep"}
            assert arguments.get("unit", "C") in ("C", "F")
            assert 1 <= arguments.get("days", 1) <= 9


def vocabularies(family: Family) -> list[Callable[[], Tokenizer]]:
    return [lambda: EchoTokenizer(512), lambda: MarkerTokenizer(markers_of(family))]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("is_control", [False, True], ids=["text", "control"])
def test_who_has_to_call_calls_from_the_first_token_with_arguments_that_obey(family: Family, is_control: bool) -> None:
    if family is HARMONY and not is_control:
        return  # its vocabularies all have the markers
    for seed in range(12):
        tokenizer = vocabularies(family)[is_control]()
        text = walk(family, REQUIRED, tokenizer=tokenizer).wander(seed)
        answer = parse(family, list(text), tools=TOOLS)
        assert answer.calls, text
        assert not answer.said.strip(), text
        check_calls(answer)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_named_tool_is_called_once(family: Family) -> None:
    answer = parse(family, [walk(family, ToolChoice(mode="required", name="now")).wander(1)], tools=TOOLS)
    assert answer.calls == [["now", "{}"]]


@pytest.mark.parametrize("family", [family for family in FAMILIES if family is not HARMONY], ids=lambda f: f.name)
@pytest.mark.parametrize("is_control", [False, True], ids=["text", "control"])
def test_who_may_call_may_also_say_anything_but_no_wrong_call(family: Family, is_control: bool) -> None:
    if family is LLAMA:
        return  # which has a test of its own
    auto = walk(family, AUTO, tokenizer=vocabularies(family)[is_control]())
    call = walk(family, ToolChoice(mode="required", name="now"), tokenizer=vocabularies(family)[is_control]()).wander(1)
    assert auto.takes("Good day, and 1 < 2.\n")
    assert auto.takes("")
    assert auto.takes(call)
    assert auto.takes(f"I look.\n{call}")
    assert auto.takes(f"{call}\nI looked.\n{call}\n")
    for wrong in (call.replace("now", "never"), call.replace("now", "noww")):
        assert not auto.begins(wrong)


def test_calls_may_be_parallel_or_not() -> None:
    call = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    assert walk(HERMES, REQUIRED).takes(f"{call}\n{call}")
    alone = walk(HERMES, ToolChoice(mode="required", is_parallel=False))
    assert alone.takes(call)
    assert not alone.begins(f"{call}\n")


def test_calls_in_one_pair_of_markers_may_be_parallel_or_not() -> None:
    one, two = '{"name": "now", "arguments": {}}', '{"name": "now", "arguments": {}}, {"name": "now", "arguments": {}}'
    for choice in (AUTO, REQUIRED):
        assert walk(MISTRAL_LIST, choice).takes(f"[TOOL_CALLS][{two}]")
    for mode in ("auto", "required"):
        alone = walk(MISTRAL_LIST, ToolChoice(mode=mode, is_parallel=False))
        assert alone.takes(f"[TOOL_CALLS][{one}]")
        assert not alone.begins(f"[TOOL_CALLS][{two}]")


def test_arguments_in_tags_may_be_left_out_where_the_schema_says_so() -> None:
    call = "<tool_call>\n<function=get_weather>\n%s</function>\n</tool_call>"
    city = "<parameter=city>\nOslo\n</parameter>\n"
    deep = '<parameter=deep>\n{"flag": true}\n</parameter>\n'
    coder = walk(QWEN_CODER, REQUIRED)
    assert coder.takes(call % (city + deep))
    assert coder.takes(call % (city + "<parameter=days>\n3\n</parameter>\n" + deep))
    assert not coder.begins(call % deep)
    assert not coder.begins(call % (city + "<parameter=days>\n12\n</parameter>\n"))


def test_a_constraint_shapes_what_is_said_instead_of_a_call() -> None:
    either = walk(HERMES, AUTO, has_constraint=True)
    assert either.takes("12")
    assert either.takes('<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>')
    assert not either.begins("twelve")


def test_a_model_that_thinks_by_itself_may_do_so_before_a_constraint() -> None:
    tokenizer = EchoTokenizer(512)
    thinker = walk(HERMES, AUTO, tokenizer=tokenizer, tools=[], has_constraint=True, may_think=True)
    assert thinker.takes("<think>\nSo {many} words</think>\n\n12")
    assert thinker.takes("12")
    assert not thinker.begins("So many")
    caller = walk(HERMES, REQUIRED, tokenizer=tokenizer, may_think=True)
    assert caller.takes('<think>Hm.</think>\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>')
    assert not caller.begins("<think>Hm.</think>No")


def test_harmony_thinks_in_its_own_channel_and_answers_in_another() -> None:
    head, final = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant", "<|channel|>final<|message|>"
    call = "<|channel|>commentary to=functions.now <|constrain|>json<|message|>{}"
    auto = walk(HARMONY, AUTO)
    assert auto.takes(f"{head}{final}Hello")
    assert auto.takes(f"{head}<|channel|>commentary<|message|>I look.<|end|><|start|>assistant{call}")
    assert walk(HARMONY, REQUIRED).takes(head + call)
    assert not walk(HARMONY, REQUIRED).begins(head + final)
    alone = walk(HARMONY, AUTO, tools=[], has_constraint=True)
    assert alone.takes(f"{head}{final}12")
    assert not alone.begins(f"{final}twelve")
    behind = walk(HARMONY, REQUIRED, is_thinking=True)
    assert behind.takes(f"<|start|>assistant{call}")


def test_nothing_is_asked_where_there_is_nothing_to_ask() -> None:
    layout = Layout(GENERIC, {}, may_think=True)
    assert answer_grammar(layout, [], AUTO, has_constraint=False) is None
    plain = Layout(GENERIC, {}, may_think=False)
    assert answer_grammar(plain, [], AUTO, has_constraint=True) is None


def test_calls_without_a_marker_shape_an_answer_only_where_they_have_to() -> None:
    layout = Layout(LLAMA, {}, may_think=False)
    assert answer_grammar(layout, TOOLS, AUTO, has_constraint=False) is None
    strict = [msgspec.structs.replace(tool, is_strict=True) for tool in TOOLS]
    auto = walk(LLAMA, AUTO, tools=strict)
    for text in ("Good day.", '{"name": "now", "parameters": {}}', '<|python_tag|>{"name": "now", "parameters": {}}'):
        assert auto.takes(text)
    assert not auto.begins('{"name": "never"')
