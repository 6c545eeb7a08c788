"""What is written into a client's file: whole files and parts of JSON and YAML. Knows no client and no disk."""

from dataclasses import dataclass
from typing import Any, Protocol

from appliance.words import tr


class CannotMerge(Exception):
    """A file is not in a form that an entry can be put into without losing something; the text says why."""


class Entry(Protocol):
    """Something that goes into a file. `merge` takes the file's text, empty where there is none."""

    def merge(self, text: str) -> str:
        """Return the text with the entry in it and everything else as it was. Raises: CannotMerge."""
        ...


@dataclass(frozen=True, slots=True)
class WholeFile:
    """A file that is ours alone."""

    content: str

    def merge(self, text: str) -> str:
        """Return the content, whatever was there."""
        return self.content


def with_value(tree: Any, path: tuple[str, ...], value: Any) -> Any:
    """Return a tree of mappings with `value` at `path`. Raises: CannotMerge, where a step of it is no mapping."""
    if not path:
        return value
    if not isinstance(tree, dict):
        raise CannotMerge(tr("there is something else than an object where {key!r} belongs", key=path[0]))
    return tree | {path[0]: with_value(tree.get(path[0], {}) if path[1:] else None, path[1:], value)}
