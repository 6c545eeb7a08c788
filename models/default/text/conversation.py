"""Whole conversations: topics in two languages, sums, extraction and tools, in one to eight turns."""

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, Literal

from . import arithmetic, extraction, tool_calls, topics
from .topic import Topic, Turn, draw

Family = Literal["english", "chinese", "arithmetic", "extraction", "tools"]

FAMILIES: dict[Family, int] = {"english": 46, "chinese": 22, "arithmetic": 10, "extraction": 12, "tools": 10}
_UNKNOWN_WEIGHT = 16
_MAX_SUMS = 8  # sums are short, and it takes many of them to learn to calculate
_TOPICS = {"english": topics.ENGLISH, "chinese": topics.CHINESE}
_SYSTEM = (
    *(
        "You are a helpful assistant.",
        "You are guide, the assistant of this appliance.",
        "Answer briefly.",
        "You are guide.",
    ),
    *(
        "You are a helpful AI assistant.",
        "Be concise.",
        "Help the user with the appliance.",
        "You are a friendly assistant.",
    ),
    *("你是一个乐于助人的助手。", "你是 guide。", "请简短回答。", "You answer questions about this server."),
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages and tools as the chat template takes them."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = field(default_factory=list)


def conversation(random: Random) -> Conversation:
    """Return a conversation to learn from; its families come as often as their weights say."""
    family = random.choices(list(FAMILIES), list(FAMILIES.values()))[0]
    system = [_message("system", random.choice(_SYSTEM))] if random.random() < 0.2 else []
    if family == "tools":
        return _with_tools(system, random)
    if family == "arithmetic":
        sums = [turn for _ in range(random.randint(1, _MAX_SUMS)) for turn in example(family, random)]
        return Conversation(system + _messages(sums))
    turns: list[Turn] = []
    for _ in range(random.choices((1, 2, 3, 4), (55, 25, 12, 8))[0]):
        turns += example(family, random)
        if random.random() < 0.3:
            family = random.choice(("english", "english", "chinese", "arithmetic", "extraction"))
    return Conversation(system + _messages(turns))


def example(family: Family, random: Random, held_out: bool = False) -> list[Turn]:
    """Return one question of a family and its answer; only the skills hold wordings out."""
    if family == "arithmetic":
        return arithmetic.example(random, held_out)
    if family == "extraction":
        return extraction.example(random, held_out)
    topics = _by_intent(family)
    weights = [_weight(intent, topics[intent]) for intent in topics]
    question, answer = draw(random.choice(random.choices(list(topics.values()), weights)[0]), random)
    return [("user", question), ("assistant", answer)]


def _with_tools(system: list[dict[str, Any]], random: Random) -> Conversation:
    """Return a conversation in which tools are on offer; in one of four they do not help."""
    before = _messages(example(random.choice(("english", "chinese")), random)) if random.random() < 0.25 else []
    if random.random() < 0.25:
        more = _messages(example(random.choice(("english", "english", "chinese", "arithmetic")), random))
        return Conversation(system + before + more, tool_calls.tools_on_offer(random))
    messages, tools = tool_calls.example(random)
    return Conversation(system + before + messages, tools)


def _weight(intent: str, topics: list[Topic]) -> int:
    """Return how often an intent comes: more often where anything can be asked, or where a name must be copied."""
    if intent == "unknown":
        return _UNKNOWN_WEIGHT
    return 2 if any("{" in topic.answer for topic in topics) else 1


@cache
def _by_intent(family: str) -> dict[str, list[Topic]]:
    topics = defaultdict(list)
    for topic in _TOPICS[family]:
        topics[topic.intent].append(topic)
    return dict(topics)


def _messages(turns: list[Turn]) -> list[dict[str, Any]]:
    return [_message(role, content) for role, content in turns]


def _message(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}
