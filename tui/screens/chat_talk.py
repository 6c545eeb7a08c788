"""A conversation as it is kept: who said what, how the model is asked, and how fast it was. Pure; knows no widget."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from appliance.client import ChatCall, ChatEnd, ChatPart, ChatThought

MAX_TITLE_LENGTH = 60


class Call(msgspec.Struct):
    """A tool call that the model made; `arguments` is the text that it wrote."""

    id: str = ""
    name: str = ""
    arguments: str = ""


class Picture(msgspec.Struct, frozen=True):
    """A picture that the person shows; `url` holds its data."""

    name: str
    url: str


class Figures(msgspec.Struct, omit_defaults=True):
    """How fast an answer was. `first_s` and `total_s` are what the person waited, all else is what the box says."""

    first_s: float | None = None
    total_s: float | None = None
    queue_s: float | None = None
    prefill_s: float | None = None
    tokens_per_s: float | None = None
    prompt_tokens: int | None = None
    cached_tokens: int = 0
    completion_tokens: int = 0
    is_from_cache: bool = False
    finish_reason: str | None = None


class Turn(msgspec.Struct, omit_defaults=True):
    """What one of them said. `answers` is the call that a tool's turn answers, `problem` why an answer failed."""

    role: Literal["user", "assistant", "tool"]
    text: str = ""
    reasoning: str = ""
    calls: list[Call] = []
    pictures: tuple[Picture, ...] = ()
    answers: str | None = None
    figures: Figures | None = None
    problem: str | None = None
    is_stopped: bool = False

    def take(self, part: ChatPart) -> None:
        """Add what came of the answer."""
        match part:
            case str():
                self.text += part
            case ChatThought(text):
                self.reasoning += text
            case ChatCall():
                while len(self.calls) <= part.index:
                    self.calls.append(Call())
                call = self.calls[part.index]
                call.id, call.name = part.id or call.id, part.name or call.name
                call.arguments += part.arguments
            case ChatEnd():
                self.figures = _figures(part)

    @property
    def is_nothing(self) -> bool:
        """Return whether it is an answer that failed before it began."""
        return self.role == "assistant" and not (self.text or self.calls)


class Talk(msgspec.Struct):
    """What was said with one model; `model` None is the box's default one."""

    model: str | None = None
    turns: list[Turn] = []

    @property
    def open_calls(self) -> list[Call]:
        """Return the calls of the last answer that have no result yet."""
        answered = {turn.answers for turn in self.turns if turn.role == "tool"}
        spoken = [turn for turn in self.turns if turn.role != "tool"]
        last = spoken[-1] if spoken else None
        if last is None or last.role != "assistant":
            return []
        return [call for call in last.calls if call.id not in answered]

    def say(self, text: str, pictures: Sequence[Picture] = ()) -> bool:
        """Add what the person said and shows, which is the result of a call where one waits for it.

        Returns whether the model is to answer now.
        """
        calls = self.open_calls
        if calls:
            self.turns.append(Turn("tool", text, answers=calls[0].id, pictures=tuple(pictures)))
            return len(calls) == 1
        self.turns.append(Turn("user", text, pictures=tuple(pictures)))
        return True

    def drop_answer(self) -> bool:
        """Forget the last answer, so that another may come. Returns whether something waits for one."""
        if self.turns and self.turns[-1].role == "assistant":
            self.turns.pop()
        return bool(self.turns)

    def take_back(self) -> str | None:
        """Forget what the person said last and all after it, and return it."""
        while self.turns:
            turn = self.turns.pop()
            if turn.role == "user":
                return turn.text
        return None


class Shape(msgspec.Struct, omit_defaults=True):
    """How a model is asked; what is None is left to the box. `tools` and `schema` are JSON as it was typed."""

    system: str = ""
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    tools: str = ""
    schema: str = ""

    def body(self, talk: Talk) -> dict[str, object]:
        """Return the request that asks for the next answer. Tools and schema were checked when they were typed."""
        wanted: dict[str, object] = {
            "model": talk.model,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "tools": msgspec.json.decode(self.tools) if self.tools else None,
            "response_format": _response_format(self.schema) if self.schema else None,
        }
        body = {name: value for name, value in wanted.items() if value is not None}
        return body | {"messages": _messages(self.system, talk.turns)}


class Conversation(msgspec.Struct):
    """What is saved: one talk, or two that went side by side. Times are seconds since 1970."""

    saved_s: float
    shape: Shape
    talks: list[Talk]

    @property
    def title(self) -> str:
        """Return how it began."""
        said = next((turn.text for talk in self.talks for turn in talk.turns if turn.role == "user"), "")
        return " ".join(said.split())[:MAX_TITLE_LENGTH]


def to_markdown(conversation: Conversation) -> str:
    """Return a conversation as a document for people."""
    parts = [f"# {conversation.title}"]
    if conversation.shape.system:
        parts.append(f"## System\n\n{conversation.shape.system}")
    for talk in conversation.talks:
        for turn in talk.turns:
            name = {"user": "You", "tool": "Tool"}.get(turn.role) or talk.model or "Assistant"
            shown = [f"(picture: {picture.name})" for picture in turn.pictures]
            said = [*shown, turn.text, *(f"```\n{call.name} {call.arguments}\n```" for call in turn.calls)]
            parts.append("\n\n".join([f"## {name}", *filter(None, said)]))
    return "\n\n".join(parts) + "\n"


def _figures(end: ChatEnd) -> Figures:
    usage = end.usage
    return Figures(
        queue_s=end.queue_s,
        prefill_s=end.prefill_s,
        tokens_per_s=end.tokens_per_s,
        prompt_tokens=None if usage is None else usage.prompt_tokens,
        cached_tokens=0 if usage is None else usage.cached_tokens,
        completion_tokens=0 if usage is None else usage.completion_tokens,
        is_from_cache=end.cache in ("hit", "shared"),
        finish_reason=end.finish_reason,
    )


def _messages(system: str, turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return the conversation for the wire, as if what was never answered had not been said."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    for turn in turns:
        if turn.is_nothing:
            while messages and messages[-1]["role"] == "user":
                messages.pop()
            continue
        messages.append(_message(turn))
    return messages


def _message(turn: Turn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": turn.role, "content": turn.text}
    if turn.pictures:
        shown = [{"type": "image_url", "image_url": {"url": each.url}} for each in turn.pictures]
        message["content"] = [*shown, {"type": "text", "text": turn.text}]
    if turn.answers is not None:
        message["tool_call_id"] = turn.answers
    if turn.reasoning:
        message["reasoning_content"] = turn.reasoning
    if turn.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.calls
        ]
    return message


def _response_format(schema: str) -> dict[str, object]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": msgspec.json.decode(schema)}}
