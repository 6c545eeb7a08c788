"""What a test writes for the echo model to say, and the types that answers are forced into."""

import json
from typing import Any, Literal

from pydantic import BaseModel, Field

WEATHER_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Bergen", "Oslo"]}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}


class Step(BaseModel, extra="forbid"):
    explanation: str = Field(max_length=12)
    output: int = Field(ge=-99, le=99)


class Lesson(BaseModel, extra="forbid"):
    level: Literal["easy", "hard"]
    steps: list[Step] = Field(max_length=3)
    is_done: bool


A_LESSON = Lesson(level="hard", steps=[Step(explanation="2 and 2", output=4)], is_done=True)
SAID_LESSON = json.dumps(A_LESSON.model_dump())


def call(name: str, **arguments: object) -> str:
    """Return how the echo model calls a tool; several calls are joined by a line's end."""
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments}, ensure_ascii=False)}\n</tool_call>"


def user(text: str) -> dict[str, str]:
    """Return a question, which is the answer of the echo model."""
    return {"role": "user", "content": text}


TWO_CALLS = f"Let me look. {call('get_weather', city='Oslo', days=1)}\n{call('get_weather', city='Bergen', days=2)}"
