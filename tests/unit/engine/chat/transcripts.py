"""What models wrote, from tests/data/chat, and the parser run over it in pieces."""

import itertools
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance.core.events import ToolCallDelta
from appliance.core.request import Tool
from appliance.engine.chat.family_choice import FAMILIES
from appliance.engine.chat.parser import AnswerParser
from appliance.engine.chat.pieces import Piece, Said, Thought
from appliance.engine.chat.syntax import Family

FOLDER = Path(__file__).parents[3] / "data" / "chat"
BY_NAME = {family.name: family for family in FAMILIES}
TOOLS = (
    Tool(
        name="get_weather",
        description="the weather of a city",
        parameters={
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    ),
    Tool(name="now"),
    Tool(
        name="write_file",
        parameters={
            "type": "object",
            "properties": {
                "path": {"type": "string"},
                "content": {"type": "string"},
                "mode": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
                "tags": {"type": "array", "items": {"type": "string"}},
                "append": {"type": "boolean"},
            },
        },
    ),
)


@dataclass
class Answer:
    """What came out, put together."""

    said: str = ""
    thought: str = ""
    calls: list[list[str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    def add(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            if isinstance(piece, Said):
                self.said += piece.text
            elif isinstance(piece, Thought):
                self.thought += piece.text
            else:
                self._add_call(piece)

    def _add_call(self, delta: ToolCallDelta) -> None:
        if delta.index == len(self.calls):
            assert delta.id is not None and delta.name is not None, "the first delta names the call"
            self.calls.append([delta.name, delta.arguments])
            self.ids.append(delta.id)
        else:
            assert delta.index == len(self.calls) - 1, "calls come one after the other"
            assert delta.id is None and delta.name is None, "id and name come once"
            self.calls[delta.index][1] += delta.arguments


@dataclass(frozen=True)
class Transcript:
    name: str
    family: Family
    text: str
    opening: str
    answer: Answer


def transcripts() -> list[Transcript]:
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        content = tomllib.loads(path.read_text())
        assert content["source"]
        for entry in content["transcript"]:
            answer = Answer(entry.get("said", ""), entry.get("thought", ""), entry.get("calls", []))
            family = BY_NAME[entry.get("family", content["family"])]
            name = f"{path.stem}: {entry['name']}"
            found.append(Transcript(name, family, entry["text"], entry.get("opening", ""), answer))
    return found


def parse(
    family: Family, pieces: Iterable[str], *, tools: Sequence[Tool] = TOOLS, is_parallel: bool = True, opening: str = ""
) -> Answer:
    numbers = itertools.count()
    parser = AnswerParser(
        family, tools, is_parallel=is_parallel, opening=opening, new_id=lambda: f"call_{next(numbers)}"
    )
    answer = Answer()
    for piece in pieces:
        answer.add(parser.feed(piece))
    answer.add(parser.flush())
    return answer
