"""From the tokens of one sequence to what it says, thinks and calls: bytes to characters, a parser, then stop strings.

Stop strings are looked for in what is said alone.
"""

from typing import NamedTuple

from appliance.core.events import ToolCallDelta

from .chat.pieces import Piece, Said, Thought
from .chat.speech import Speech
from .detokenize import Detokenizer, TokenBytes
from .stops import StopMatcher


class Spoken(NamedTuple):
    """What is certain of the answer now."""

    text: str
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()

    def followed_by(self, other: "Spoken") -> "Spoken":
        """Return both together."""
        return Spoken(self.text + other.text, self.reasoning + other.reasoning, self.tool_calls + other.tool_calls)


class AnswerText:
    """One choice's answer while it comes. Without `speech`, everything is said."""

    def __init__(self, tokenizer: TokenBytes, stop_strings: tuple[str, ...], speech: Speech | None) -> None:
        self._detokenizer = Detokenizer(tokenizer) if speech is None else Detokenizer(tokenizer, speech.markers)
        self._parser = None if speech is None else speech.parser()
        self._stops = StopMatcher(stop_strings)
        self._is_in_prompts_thinking = self._parser is not None and self._parser.is_thinking
        self.has_ended = False
        self.reasoning_tokens = 0

    @property
    def is_thinking(self) -> bool:
        """Whether what comes next is thought."""
        return self._parser is not None and self._parser.is_thinking

    @property
    def is_in_prompts_thinking(self) -> bool:
        """Whether the thinking that the prompt began goes on: what a grammar asks of the answer begins after it."""
        self._is_in_prompts_thinking = self._is_in_prompts_thinking and self.is_thinking
        return self._is_in_prompts_thinking

    @property
    def has_called(self) -> bool:
        """Whether a call was made."""
        return self._parser is not None and self._parser.num_calls > 0

    @property
    def stop_string(self) -> str | None:
        """The stop string that ended the answer."""
        return self._stops.matched

    def feed(self, token: int) -> Spoken:
        """Return what the token makes certain; set `has_ended` where nothing more is wanted after it."""
        text = self._detokenizer.feed(token)
        if self._parser is None:
            text, self.has_ended = self._stops.feed(text)
            return Spoken(text)
        was_thinking = self._parser.is_thinking
        spoken = self._sorted(self._parser.feed(text))
        self.reasoning_tokens += was_thinking or self._parser.is_thinking
        if self._parser.is_done and not self.has_ended:
            self.has_ended = True
            return spoken.followed_by(Spoken(self._stops.flush()))
        return spoken

    def finish(self) -> Spoken:
        """Return what was held back, once no token comes any more."""
        text = self._detokenizer.flush()
        pieces: list[Piece] = [Said(text)]
        if self._parser is not None:
            pieces = self._parser.feed(text) + self._parser.flush()
        spoken = self._sorted(pieces)
        return spoken if self.has_ended else spoken.followed_by(Spoken(self._stops.flush()))

    def _sorted(self, pieces: list[Piece]) -> Spoken:
        said, thought, calls = "", "", list[ToolCallDelta]()
        for piece in pieces:
            if isinstance(piece, Said):
                text, self.has_ended = self._stops.feed(piece.text)
                said += text
                if self.has_ended:
                    break
            elif isinstance(piece, Thought):
                thought += piece.text
            else:
                said += self._stops.flush()  # a stop string does not reach over a call
                calls.append(piece)
        return Spoken(said, thought, tuple(calls))
