import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.events import ToolCallDelta
from appliance.engine.chat.families import GENERIC, HARMONY, HERMES, MISTRAL, QWEN_CODER
from appliance.engine.chat.family_choice import FAMILIES
from appliance.engine.chat.parser import AnswerParser
from appliance.engine.chat.pieces import Said, Thought
from appliance.engine.chat.syntax import Family
from tests.unit.engine.chat.transcripts import TOOLS, Answer, Transcript, parse, transcripts

ALL = transcripts()
CALL = '<tool_call>{"name": "now", "arguments": {}}</tool_call>'


def outcome(answer: Answer) -> tuple[str, str, list[list[str]]]:
    return answer.said, answer.thought, answer.calls


@pytest.mark.parametrize("transcript", ALL, ids=lambda transcript: transcript.name)
def test_a_transcript_is_read_as_it_was_meant_wherever_it_is_cut(transcript: Transcript) -> None:
    text, wanted = transcript.text, outcome(transcript.answer)
    cuts = [[text], list(text), *([text[:cut], text[cut:]] for cut in range(1, len(text)))]
    for pieces in cuts:
        assert outcome(parse(transcript.family, pieces, opening=transcript.opening)) == wanted, pieces


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_has_transcripts_with_calls_and_without(family: Family) -> None:
    own = [transcript for transcript in ALL if transcript.family == family]
    assert any(transcript.answer.calls for transcript in own)


@pytest.mark.parametrize("transcript", ALL, ids=lambda transcript: transcript.name)
def test_whole_calls_have_arguments_that_are_json(transcript: Transcript) -> None:
    if "cut" not in transcript.name:
        assert all(isinstance(json.loads(arguments), dict) for _, arguments in transcript.answer.calls)


def test_text_leaves_as_soon_as_it_cannot_become_a_marker() -> None:
    parser = AnswerParser(HERMES, TOOLS)
    assert parser.feed("Hello") == [Said("Hello")]
    assert parser.feed(" <tool") == []
    assert parser.feed("box>") == [Said(" <toolbox>")]


def test_arguments_leave_while_they_come() -> None:
    parser = AnswerParser(HERMES, TOOLS, new_id=lambda: "call_1")
    parser.feed('<tool_call>{"name": "get_weather", "arguments": ')
    assert parser.feed('{"ci') == [ToolCallDelta(0, "call_1", "get_weather", '{"ci')]
    assert parser.feed('ty": "O') == [ToolCallDelta(0, None, None, 'ty": "O')]


def test_a_long_text_between_tags_leaves_while_it_comes() -> None:
    parser = AnswerParser(QWEN_CODER, TOOLS)
    parser.feed("<tool_call>\n<function=write_file>\n<parameter=content>\nfirst line")
    assert parser.feed('\n"second" line') == [ToolCallDelta(0, None, None, '\\n\\"second\\" line')]


def test_thoughts_leave_while_they_come_and_the_parser_says_when_they_end() -> None:
    parser = AnswerParser(HERMES, TOOLS)
    assert not parser.is_thinking
    assert parser.feed("<think>Hm") == [Thought("Hm")]
    assert parser.is_thinking
    parser.feed("</think>")
    assert not parser.is_thinking


def test_a_thought_that_the_prompt_began_is_thought_from_the_first_character() -> None:
    parser = AnswerParser(HERMES, opening="<think>")
    assert parser.is_thinking
    assert parser.feed("Hm") == [Thought("Hm")]


def test_without_tools_nothing_is_a_call() -> None:
    assert outcome(parse(HERMES, [f"<think>a</think>{CALL}"], tools=())) == (CALL, "a", [])


def test_where_calls_are_not_parallel_the_answer_is_done_after_the_first() -> None:
    parser = AnswerParser(HERMES, TOOLS, is_parallel=False)
    parser.feed(CALL[:-20])
    assert not parser.is_done
    parser.feed(CALL[-20:] + CALL + "more")
    assert (parser.is_done, parser.num_calls, parser.flush()) == (True, 1, [])


@pytest.mark.parametrize("transcript", ALL, ids=lambda transcript: transcript.name)
def test_one_call_at_a_time_is_the_first_of_several(transcript: Transcript) -> None:
    answer = parse(transcript.family, list(transcript.text), is_parallel=False, opening=transcript.opening)
    assert answer.calls == transcript.answer.calls[:1] or "Python" in transcript.name or "list" in transcript.name


def test_each_call_has_an_id_of_its_own() -> None:
    deltas = [piece for piece in AnswerParser(HERMES, TOOLS).feed(CALL * 3) if isinstance(piece, ToolCallDelta)]
    assert len({delta.id for delta in deltas}) == 3
    assert all(re.fullmatch(r"call_[0-9a-f]{24}", delta.id or "") for delta in deltas)


def test_half_of_a_pair_of_characters_in_a_name_can_be_sent() -> None:
    answer = parse(HERMES, ['<tool_call>{"name": "a\\ud800", "arguments": {}}</tool_call>'])
    assert [name.encode() for name, _ in answer.calls] == [b"a?"]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_deep_nesting_is_read_without_recursion(family: Family) -> None:
    begin = family.calls[0].open if family.calls else ""
    deep = '{"a": ' * 5000
    for text in (deep, f'{begin}{{"name": "now", "arguments": {deep}', f"{begin}call:now{deep}", f"{begin}now{deep}"):
        parse(family, [text])


_FRAGMENTS = st.sampled_from(
    sorted(
        {
            *(text for family in FAMILIES for calls in family.calls for text in (calls.open, calls.close) if text),
            *(text for family in FAMILIES for text in family.markers),
            *("<think>", "</think>", "[THINK]", "[/THINK]", "<|channel>thought", "<channel|>", "```", "functions."),
            *(
                '{"name": "now", "arguments": {',
                '{"name": "now", ',
                '"arguments": "',
                "}",
                "{",
                "[",
                "]",
                ",",
                ":",
                '"',
            ),
            *("<function=now>", "<parameter=zone>", "</parameter>", "</function>", '<invoke name="now">', "call:now{"),
            *("now", "now(", ")", ":", "\\", "\\u", "\n", " ", "é", "分", "<", "</", "[", "a=1", " to=functions.now"),
        }
    )
)


@given(family=st.sampled_from(FAMILIES), fragments=st.lists(_FRAGMENTS, max_size=24), data=st.data())
def test_whatever_is_written_reading_it_in_pieces_changes_nothing(
    family: Family, fragments: list[str], data: st.DataObject
) -> None:
    text = "".join(fragments)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=12)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = outcome(parse(family, [text]))
    assert outcome(parse(family, pieces)) == whole
    assert outcome(parse(family, list(text))) == whole


_WORDS = st.lists(st.sampled_from(["alpha", "beta", "gamma", " ", "\n", "<", "<|", "[", "{", "}", '"']), max_size=12)


@given(
    family=st.sampled_from([family for family in FAMILIES if not family.has_channels]),
    parts=st.lists(_WORDS, min_size=1, max_size=4),
    data=st.data(),
)
def test_no_word_is_lost_around_markers(family: Family, parts: list[list[str]], data: st.DataObject) -> None:
    markers = [text for calls in family.calls for text in (calls.open, calls.close) if text]
    text = data.draw(st.sampled_from(markers)).join("".join(part) for part in parts)
    answer = parse(family, [text])
    kept = answer.said + answer.thought + "".join(name + arguments for name, arguments in answer.calls)
    for word in ("alpha", "beta", "gamma"):
        assert kept.count(word) == text.count(word)


@given(text=st.text(max_size=60))
def test_an_answer_without_markers_comes_out_as_it_is(text: str) -> None:
    if "<" not in text and "{" not in text:
        assert parse(GENERIC, list(text)).said == text
        assert parse(GENERIC, list(text), tools=()).said == text
        assert parse(MISTRAL, [text]).said == text or "[" in text


def test_harmony_reads_calls_only_where_there_are_tools() -> None:
    text = "<|channel|>commentary to=functions.now<|message|>{}<|call|>"
    assert outcome(parse(HARMONY, [text], tools=())) == ("{}", "", [])
