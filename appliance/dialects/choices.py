"""What a field of a wire struct may be, where it is one of a few words: for the sentence that refuses another."""

import re
from collections.abc import Iterator
from typing import Any

from msgspec import inspect

_STEP = re.compile(r"[^.\[\]]+|\[[^\]]*\]")


def choices(wire: Any, path: str) -> tuple[str, ...]:
    """Return the words that `path` (`messages[0].role`) may have, none where it is no such field."""
    found = [*_plain(inspect.type_info(wire))]
    for step in _STEP.findall(path):
        found = [each for kind in found for inner in _inner(kind, step) for each in _plain(inner)]
    words = sorted(str(word) for kind in found for word in _words(kind))
    return tuple(dict.fromkeys(words))


def _plain(kind: inspect.Type) -> Iterator[inspect.Type]:
    """Yield the kinds that a value may have: each of a union, without what is only said about them."""
    if isinstance(kind, inspect.Metadata):
        yield from _plain(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _plain(each)
    else:
        yield kind


def _inner(kind: inspect.Type, step: str) -> Iterator[inspect.Type]:
    """Yield what lies one step further in."""
    if isinstance(kind, inspect.StructType):
        yield from (field.type for field in kind.fields if field.encode_name == step)
    elif isinstance(kind, inspect.ListType | inspect.VarTupleType) and step.startswith("["):
        yield kind.item_type
    elif isinstance(kind, inspect.DictType):
        yield kind.value_type


def _words(kind: inspect.Type) -> Iterator[object]:
    if isinstance(kind, inspect.LiteralType):
        yield from kind.values
    elif isinstance(kind, inspect.EnumType):
        yield from (member.value for member in kind.cls)
