"""The questions and tasks that the embedded model never saw, each with the answer it should give.

`held_out.toml` was written without a look at the training text; only the answers come from the topics there. Knows
neither the network nor the appliance.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from random import Random
from typing import Any, Literal

import msgspec

from models.default import text
from models.default.chat import render
from models.default.scoring import commands_in
from models.default.text import arithmetic, extraction, slots, tool_calls
from models.default.text.topic import Topic, Turn

Language = Literal["en", "zh"]
Topics = Mapping[tuple[str, Language], Topic]

QUESTIONS_PATH = Path(__file__).with_name("held_out.toml")
SKILL_SEED = 2026

_TURN = re.compile(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>", re.DOTALL)


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    question: str
    slots: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Question:
    """A user's question; `slots` are the names in it that the answer has to repeat."""

    intent: str
    language: Language
    question: str
    slots: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation that waits for the assistant, and what it should say. Scores are summed over a family."""

    family: str
    turns: tuple[Turn, ...]
    expected: str


def read_questions(path: Path = QUESTIONS_PATH) -> list[Question]:
    """Return the questions in the order of the file. Raises: msgspec.ValidationError."""
    tables = msgspec.toml.decode(path.read_bytes(), type=dict[str, dict[Language, list[_Entry | str]]])
    return [
        Question(intent, language, entry.question, entry.slots)
        for intent, languages in tables.items()
        for language, entries in languages.items()
        for entry in (_Entry(entry) if isinstance(entry, str) else entry for entry in entries)
    ]


def read_topics() -> dict[tuple[str, Language], Topic]:
    """Return the topics by intent and language, from modules named `operate_en`, `talk_zh`, `operate_zh_models`, …"""
    found: dict[tuple[str, Language], Topic] = {}
    for module in iter_modules(text.__path__):
        subject, _, rest = module.name.partition("_")
        if subject in ("operate", "talk"):
            language: Language = "zh" if rest.startswith("zh") else "en"
            topics: tuple[Topic, ...] = import_module(f"{text.__name__}.{module.name}").TOPICS
            found |= {(topic.intent, language): topic for topic in topics}
    return found


def expected_answer(question: Question, topics: Topics) -> str:
    """Return the topic's answer with the question's names, and with placeholders where it names nothing."""
    answer = topics[question.intent, question.language].answer
    for name, value in question.slots.items():
        answer = answer.replace(f"{{{name}}}", value)
    return slots.fill(question.question, answer, Random(0))[1]


def question_case(question: Question, topics: Topics) -> Case:
    """Return a question as a conversation of one turn."""
    expected = expected_answer(question, topics)
    family = "unknown" if question.intent == "unknown" else "commands" if commands_in(expected) else "talk"
    return Case(f"{family} {question.language}", (("user", question.question),), expected)


def skill_cases(num_examples: int) -> list[Case]:
    """Return examples of every skill in wordings kept from training; each turn of the assistant is a case."""
    random = Random(SKILL_SEED)
    conversations = [
        *(("arithmetic", _rendered(arithmetic.example(random, held_out=True))) for _ in range(num_examples)),
        *(("extraction", _rendered(extraction.example(random, held_out=True))) for _ in range(num_examples)),
        *(("tool calls", render(*tool_calls.example(random, held_out=True))) for _ in range(num_examples)),
    ]
    return [
        Case(family, turns[:index], content)
        for family, turns in ((family, plain_turns(rendered)) for family, rendered in conversations)
        for index, (role, content) in enumerate(turns)
        if role == "assistant"
    ]


def plain_turns(rendered: str) -> tuple[Turn, ...]:
    """Return a rendered conversation as turns of text: tools and calls as the model reads them, for any API."""
    return tuple(_TURN.findall(rendered))


def _rendered(turns: list[Turn]) -> str:
    messages: list[dict[str, Any]] = [{"role": role, "content": content} for role, content in turns]
    return render(messages)
