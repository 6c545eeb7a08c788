"""A topic: one thing that is asked in many ways and has one answer."""

import re
from dataclasses import dataclass
from random import Random

from . import grammar, slots

Turn = tuple[str, str]  # role, content
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Topic:
    """Patterns of a question (grammar.py) and the answer to all of them; both may hold slots (slots.py)."""

    intent: str
    answer: str
    questions: tuple[str, ...]


def draw(topic: Topic, random: Random) -> tuple[str, str]:
    """Return one wording of the topic's question and its answer. Names go in last, so that no noise alters them."""
    question = grammar.expand(random.choice(topic.questions), random)
    while question.isascii() and _CHINESE.search(topic.answer):
        # "unload {model}" is English, and is answered in English by a topic of its own.
        question = grammar.expand(random.choice(topic.questions), random)
    return slots.fill(grammar.roughen(question, random), topic.answer, random)
