"""Media in a conversation while its template is rendered: a mark stands in the text where each belongs.

A template's own way to write an image is not asked for: what a model reads around one comes from its projector, and
would stand there twice. Marks hold a number that no user can know, so no text poses as a medium.
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from appliance.core.request import ChatPrompt, Media, Message
from appliance.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Marks:
    """The media of one conversation by their marks: `word`, then their number, then `x`."""

    word: str
    media: tuple[Media, ...]

    def pieces(self, rendered: str) -> Iterator[str | Media]:
        """Yield text, medium, text and so on to the last text; a text may be empty.

        Raises: InvalidRequest, where the template left one out.
        """
        pieces = re.split(f"{self.word}([0-9]+)x", rendered)
        numbers = [int(number) for number in pieces[1::2]]
        if missing := set(range(len(self.media))) - set(numbers):
            kind = self.media[min(missing)].kind
            raise InvalidRequest(f"the model's chat template leaves out a message with an {kind}", param="messages")
        yield pieces[0]
        for number, text in zip(numbers, pieces[2::2], strict=True):
            yield self.media[number]
            yield text

    def shown(self, rendered: str) -> str:
        """Return the text as a person reads it."""
        return "".join(piece if isinstance(piece, str) else f"[{piece.kind}]" for piece in self.pieces(rendered))


def mark(prompt: ChatPrompt) -> tuple[ChatPrompt, Marks]:
    """Return the conversation with marks in place of its media. Raises: InvalidRequest."""
    if not any(message.media for message in prompt.messages):
        return prompt, Marks("", ())
    word = f"medium{secrets.token_hex(16)}n"
    media: list[Media] = []
    messages = tuple(_marked(message, word, media) for message in prompt.messages)
    return replace(prompt, messages=messages), Marks(word, tuple(media))


def _marked(message: Message, word: str, media: list[Media]) -> Message:
    """Return the message with marks; its media are added to those before."""
    parts: list[str] = []
    position = 0
    for medium in _fetched(message):
        parts += (message.content[position : medium.at], f"{word}{len(media)}x")
        position = medium.at
        media.append(medium)
    return replace(message, content="".join([*parts, message.content[position:]]), media=())


def _fetched(message: Message) -> Sequence[Media]:
    media = [medium for medium in message.media if isinstance(medium, Media)]
    if len(media) < len(message.media):
        raise InvalidRequest("an image or audio of this prompt was not fetched", param="messages")
    return media
