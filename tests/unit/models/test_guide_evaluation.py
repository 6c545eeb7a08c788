"""The evaluation of the embedded model: what counts as right, and that its questions are whole and unseen."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from threading import Barrier
from typing import Any

import msgspec
import pytest

from models.default.chat import render
from models.default.evaluate import PASS_RATIO, answers_of, command_ratio, report
from models.default.held_out import (
    Case,
    Language,
    Question,
    expected_answer,
    plain_turns,
    question_case,
    read_questions,
    read_topics,
    skill_cases,
)
from models.default.scoring import commands_in, is_right
from models.default.text import arithmetic, extraction, tool_calls
from models.default.text.grammar import expand
from models.default.text.topic import Topic

QUESTIONS = read_questions()
TOPICS = read_topics()
SAMPLES_PER_PATTERN = 60

ADD = "Run `appliance models add {file} --name {model}`."
LOAD = "Run `appliance models load phi-4-mini`."


@pytest.mark.parametrize(
    ("answer", "commands"),
    [
        ("Run `appliance ps`.", ["appliance ps"]),
        ("`appliance keys create NAME`, then `appliance serve`.", ["appliance keys create NAME", "appliance serve"]),
        ('用 `cat FILE | appliance chat "QUESTION"`。', ['cat FILE | appliance chat "QUESTION"']),
        ("`sh install.sh` or `curl http://127.0.0.1/ready`", ["sh install.sh", "curl http://127.0.0.1/ready"]),
        ("Write it in `appliance.toml`, then restart.", []),
        ("Set `default_model` under `[models]`.", []),
        ("An appliance ps without backticks is no command.", []),
        ("", []),
    ],
)
def test_commands_are_what_stands_in_backticks_and_begins_with_a_program(answer: str, commands: list[str]) -> None:
    assert commands_in(answer) == tuple(commands)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (LOAD, True),
        ("It is `appliance models load phi-4-mini`, and nothing else.", True),
        ("Run `appliance models load phi-4`.", False),
        ("Run `appliance models unload phi-4-mini`.", False),
        (LOAD + " Then `appliance ps`.", False),
        ("Run appliance models load phi-4-mini.", False),
        ("", False),
    ],
)
def test_an_answer_is_right_with_exactly_the_expected_commands(answer: str, right: bool) -> None:
    assert is_right(LOAD, answer) is right


def test_an_answer_without_commands_has_to_be_the_same_sentence() -> None:
    assert is_right("Hello!", " Hello!\n")
    assert not is_right("Hello!", "Hello! I am fine.")
    assert not is_right("Hello!", "Hello! Run `appliance ps`.")
    assert not is_right("Hello! Run `appliance ps`.", "Hello!")


def test_json_is_compared_by_its_values() -> None:
    assert is_right('{"name": "Ann", "age": 3}', '{"age":3,"name":"Ann"}')
    assert not is_right('{"age": 3}', '{"age": "3"}')
    assert not is_right('{"age": 3}', '{"age": 3')
    assert not is_right('{"age": 3}', 'It is {"age": 3}')


def test_a_tool_call_is_right_with_its_name_and_arguments_and_only_as_a_call() -> None:
    call = '<tool_call>\n{"name": "clock", "arguments": {"zone": "UTC", "short": true}}\n</tool_call>'
    assert is_right(call, '<tool_call>{"arguments": {"short": true, "zone": "UTC"}, "name": "clock"}</tool_call>')
    assert not is_right(call, call.replace("UTC", "CET"))
    assert not is_right(call, call + "\n" + call)
    assert not is_right(call, call.replace("<tool_call>", "").replace("</tool_call>", ""))


def test_there_are_enough_questions_of_every_intent_and_none_twice() -> None:
    counts = Counter((question.intent, question.language) for question in QUESTIONS)
    assert len({normal(question) for question in QUESTIONS}) == len(QUESTIONS) >= 220
    assert counts.keys() == TOPICS.keys()
    assert all(counts[intent, "en"] >= 2 and counts[intent, "zh"] >= 1 for intent, _ in TOPICS)
    assert counts["unknown", "en"] + counts["unknown", "zh"] >= 30
    chinese_ratio = sum(question.language == "zh" for question in QUESTIONS) / len(QUESTIONS)
    assert 0.35 < chinese_ratio < 0.45


def test_every_name_to_copy_stands_in_its_question_and_in_its_answer() -> None:
    for question in QUESTIONS:
        answer = expected_answer(question, TOPICS)
        assert all(value in question.question and value in answer for value in question.slots.values()), question
        assert "{" not in answer, answer


def test_both_languages_teach_the_same_commands() -> None:
    for intent in {intent for intent, _ in TOPICS}:
        english = expected_answer(Question(intent, "en", "", {}), TOPICS)
        chinese = expected_answer(Question(intent, "zh", "", {}), TOPICS)
        assert commands_in(english) == commands_in(chinese), intent


def test_names_reach_the_expected_answer_and_placeholders_stand_for_the_others() -> None:
    topics: dict[tuple[str, Language], Topic] = {("add", "en"): Topic("add", ADD, ())}
    named = Question("add", "en", "add it as x2", {"model": "x2"})
    assert expected_answer(named, topics) == "Run `appliance models add FILE.gguf --name x2`."


def test_a_question_file_with_a_misspelt_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "questions.toml"
    path.write_text('[ps]\nen = [{ question = "what runs?", slot = { model = "x" } }]\n')
    with pytest.raises(msgspec.ValidationError, match="slot"):
        read_questions(path)


def normal(question: Question) -> str:
    """Return what two wordings share when they differ in names, case, spaces and punctuation only."""
    wording = question.question
    for name, value in question.slots.items():
        wording = wording.replace(value, f"{{{name}}}")
    return bare(wording)


def bare(wording: str) -> str:
    return re.sub(r"[\W_]", "", wording.lower())


def training_wordings() -> Iterator[str]:
    random = Random(3)
    for topic in TOPICS.values():
        for pattern in topic.questions:
            for _ in range(SAMPLES_PER_PATTERN):
                yield bare(expand(pattern, random))


def test_no_held_out_question_is_among_the_training_questions() -> None:
    trained = set(training_wordings())
    assert len(trained) > 20_000
    assert not trained.intersection(normal(question) for question in QUESTIONS)


def test_no_held_out_task_is_among_the_training_tasks() -> None:
    random = Random(4)
    trained = {skill.example(random)[0][1] for skill in (arithmetic, extraction) for _ in range(3000)}
    trained |= {tool_calls.example(random)[0][0]["content"] for _ in range(3000)}
    cases = skill_cases(100)
    assert len(cases) >= 300
    assert not trained.intersection(case.turns[-1][1] for case in cases)


def test_the_tasks_expect_numbers_json_and_calls_of_tools_that_were_offered() -> None:
    for case in skill_cases(50):
        if case.family == "arithmetic":
            assert re.search(r"\d", case.expected)
        elif case.family == "extraction":
            assert isinstance(json.loads(case.expected), dict)
        elif "<tool_call>" in case.expected:
            call = json.loads(case.expected.removeprefix("<tool_call>").removesuffix("</tool_call>"))
            assert f'{{"name": "{call["name"]}"' in case.turns[0][1]


def test_a_conversation_with_tools_becomes_turns_of_text() -> None:
    tool = {"function": {"name": "clock", "parameters": {"properties": {"zone": {"type": "string"}}}}}
    call = {"function": {"name": "clock", "arguments": {"zone": "UTC"}}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "What time is it?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "12:00"},
    ]
    offered, question, called, result = plain_turns(render(messages, [tool]))
    assert offered[0] == "system"
    assert '"clock"' in offered[1]
    assert question == ("user", "What time is it?")
    assert called == ("assistant", '<tool_call>\n{"name": "clock", "arguments": {"zone": "UTC"}}\n</tool_call>')
    assert result[0] == "user"
    assert "12:00" in result[1]


def test_families_tell_commands_from_talk_and_both_from_what_is_unknown() -> None:
    families = {question.intent: question_case(question, TOPICS).family for question in QUESTIONS}
    assert families["models_load"].startswith("commands")
    assert families["greeting"].startswith("talk")
    assert families["unknown"].startswith("unknown")


def case(family: str, question: str, expected: str) -> Case:
    return Case(family, (("user", question),), expected)


def test_the_report_scores_each_family_and_shows_what_was_wrong() -> None:
    cases = [case("commands en", "load it", LOAD), case("talk en", "hi", "Hello!"), case("talk en", "bye", "Bye!")]
    ratio, text = report(cases, [LOAD, "Hello!", "Hello again!"])
    assert ratio == pytest.approx(2 / 3)
    assert re.search(r"commands en +1 of +1", text)
    assert re.search(r"talk en +1 of +2", text)
    assert "Hello again!" in text
    assert "load it" not in text


def test_several_are_asked_at_once_and_answers_keep_the_order_of_the_cases() -> None:
    together = Barrier(4)

    def ask(turns: object) -> str:
        together.wait(10)
        return str(turns)

    cases = [case("talk en", str(number), "") for number in range(8)]
    assert answers_of(ask, cases) == [str(case.turns) for case in cases]


def test_the_gate_counts_the_questions_about_commands_alone() -> None:
    cases = [case("commands en", "load it", LOAD), case("commands zh", "加载", LOAD), case("talk en", "hi", "Hello!")]
    assert command_ratio(cases, [LOAD, LOAD, "no"]) == 1.0
    assert command_ratio(cases, [LOAD, "no", "Hello!"]) == 0.5 < PASS_RATIO
