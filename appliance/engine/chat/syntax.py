"""What can differ between families of models in how they think and call tools: what `families.py` is written in."""

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Thinking:
    """Thoughts stand between two markers, at the beginning of an answer.

    `opening` and `closing` are what is written to begin or end the thinking in the model's place.
    """

    open: str
    close: str
    opening: str
    closing: str


@dataclass(frozen=True, slots=True)
class JsonShape:
    """A call is a JSON object that holds its name and its arguments, under these keys."""

    arguments_key: str = "arguments"
    name_key: str = "name"


@dataclass(frozen=True, slots=True)
class NamedShape:
    """A call is a header with its name, then the JSON object of its arguments.

    `header` matches all before the object, with a group `name`; `before` and `after` are how it is written around a
    name. `end` are the literals that may follow the object, in their order.
    """

    header: re.Pattern[str]
    before: str
    after: str
    end: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaggedShape:
    """A call is its name, then each argument as a key and a value between tags. Texts are written as they are.

    `name_ends` end the name and are read with it; before the others it may end, too. `has_lines`: a value stands on
    lines of its own. Behind `text_close`, if there is one, a key's value is text whatever the schema says.
    """

    name_open: str
    name_ends: tuple[str, ...]
    key_open: str
    key_close: str
    value_open: str
    value_close: str
    call_close: str
    has_lines: bool
    text_close: str = ""


@dataclass(frozen=True, slots=True)
class BracedShape:
    """A call is `before`, its name and an object with bare keys, whose texts stand between two `quote`s."""

    before: str
    quote: str


@dataclass(frozen=True, slots=True)
class PythonShape:
    """Calls are written as in Python, `[f(a="b"), g()]` or one to a line, with literals as arguments."""


Shape = JsonShape | NamedShape | TaggedShape | BracedShape | PythonShape


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls stand between two markers. Without `close` they end where another begins, or the answer does; without
    `open`, too, a call is the whole answer.

    `before_first`, `between` and `after_last` are what is written around the calls in one pair of markers; without
    `between` each call has a pair of its own. `pair_separator` stands between pairs.
    """

    open: str
    close: str
    shape: Shape
    before_first: str = ""
    between: str | None = None
    after_last: str = ""
    pair_separator: str = "\n"


@dataclass(frozen=True, slots=True)
class Family:
    """How a family of models writes. The first of `calls` is how it calls tools itself, the others are understood, too.

    `has_bare_calls`: a JSON object that names a tool is a call even without a marker, where an answer begins.
    `has_channels`: every message names its channel and recipient in a header (harmony).
    """

    name: str
    calls: tuple[Calls, ...]
    thinking: Thinking | None = None
    has_bare_calls: bool = False
    has_channels: bool = False
    markers: tuple[str, ...] = field(default=())
    """Texts that are read even where the vocabulary has them as control tokens, beside those of calls and thinking."""
