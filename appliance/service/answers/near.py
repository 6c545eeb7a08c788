"""Earlier questions that mean the same as a new one: found by embeddings, among those asked under equal conditions.

Opt-in, since no threshold tells "open" from "close" for sure. Two guards stand before the vectors: everything but the
last question must be equal (model, system prompt, tools, settings, the turns before), and so must the numbers in it.
"""

import logging
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from appliance.errors import ApplianceError

Embed = Callable[[str], Awaitable[bytes]]
"""Returns the embedding of a text: 32-bit floats, little-endian, of length 1. Raises: ApplianceError."""

MAX_QUESTIONS = 500
"""Of each neighbourhood; the oldest go first."""
MAX_NEIGHBOURHOODS = 64
"""In memory; the others are read from the disk again."""

logger = logging.getLogger(__name__)

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Question:
    """A text with its embedding."""

    text: str
    vector: bytes


@dataclass(frozen=True, slots=True)
class Near:
    """The name of the answer to the nearest question, and the cosine of the two."""

    name: str
    similarity: float


class _Row(msgspec.Struct, frozen=True, array_like=True):
    name: str
    numbers: tuple[str, ...]
    vector: bytes


class Neighbourhood:
    """The questions that were asked under the same conditions, with the names of their answers. Pure."""

    def __init__(self, content: bytes | None = None) -> None:
        self._rows: OrderedDict[str, _Row] = OrderedDict()
        if content is not None:
            self._rows.update((row.name, row) for row in msgspec.msgpack.decode(content, type=list[_Row]))

    def add(self, question: Question, name: str) -> None:
        """Take a question in; of the same answer the newest stays."""
        self._rows.pop(name, None)
        self._rows[name] = _Row(name, numbers_in(question.text), question.vector)
        while len(self._rows) > MAX_QUESTIONS:
            self._rows.popitem(last=False)

    def nearest(self, question: Question) -> Near | None:
        """Return the nearest question with the same numbers in it, None when there is none."""
        import numpy as np  # a daemon without a semantic cache never needs it

        numbers, size_bytes = numbers_in(question.text), len(question.vector)
        rows = [row for row in self._rows.values() if row.numbers == numbers and len(row.vector) == size_bytes]
        if not rows:
            return None
        vectors = np.frombuffer(b"".join(row.vector for row in rows), "<f4").reshape(len(rows), -1)
        similarities = vectors @ np.frombuffer(question.vector, "<f4")
        best = int(similarities.argmax())
        return Near(rows[best].name, float(similarities[best]))

    def encode(self) -> bytes:
        """Return it as bytes."""
        return msgspec.msgpack.encode(list(self._rows.values()))


def numbers_in(text: str) -> tuple[str, ...]:
    """Return the numbers of a text in order: two questions that differ in one are never the same question."""
    return tuple(_NUMBER.findall(text))


class NearAnswers:
    """Owns the neighbourhoods that are in memory. A question that cannot be embedded has no neighbours."""

    def __init__(
        self,
        embed: Embed,
        threshold: float,
        read: Callable[[str], Awaitable[bytes | None]],
        write: Callable[[str, bytes], None],
    ) -> None:
        """`read` and `write` are those of the answers on disk; a question counts as the same from `threshold` on."""
        self._embed = embed
        self._threshold = threshold
        self._read = read
        self._write = write
        self._known: OrderedDict[str, Neighbourhood] = OrderedDict()

    async def question(self, text: str) -> Question | None:
        """Return a question with its embedding, None where the model for that does not answer."""
        try:
            return Question(text, await self._embed(text))
        except ApplianceError as error:
            logger.warning("a question could not be compared with earlier ones: %s", error)
            return None

    async def nearest(self, neighbourhood: str, question: Question) -> Near | None:
        """Return the nearest earlier question, None where it is not near enough."""
        near = (await self._neighbourhood(neighbourhood)).nearest(question)
        return near if near is not None and near.similarity >= self._threshold else None

    async def remember(self, neighbourhood: str, question: Question, name: str) -> None:
        """Take in a question that was answered, under the name of its answer."""
        known = await self._neighbourhood(neighbourhood)
        known.add(question, name)
        self._write(neighbourhood, known.encode())

    def clear(self) -> None:
        """Forget all that is in memory."""
        self._known.clear()

    async def _neighbourhood(self, name: str) -> Neighbourhood:
        if name not in self._known:
            content = await self._read(name)
            try:
                found = Neighbourhood(content)
            except msgspec.MsgspecError:
                found = Neighbourhood()
            self._known.setdefault(name, found)
            while len(self._known) > MAX_NEIGHBOURHOODS:
                self._known.popitem(last=False)
        self._known.move_to_end(name)
        return self._known[name]
