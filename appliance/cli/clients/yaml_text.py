"""YAML: list items and plain values are put into the text; comments and order stay as they were typed."""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from appliance.words import tr

from .entry import CannotMerge

BEGIN = "# >>> appliance connect"
END = "# <<< appliance connect"
_OURS = re.compile(rf"^ *{BEGIN}\n.*?^ *{END}\n", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class YamlItem:
    """One item at the end of the list under `key`, or of the whole file. A new file begins with `head`."""

    key: str | None
    item: dict[str, Any]
    head: dict[str, str] | None = None

    def merge(self, text: str) -> str:
        """Return the text with the item, in place of the one that was written before. Raises: CannotMerge."""
        text = _OURS.sub("", text)
        tree = _load(text)
        if tree is None and self.head:
            tree, text = dict(self.head), _ended(text) + _dumped(self.head)
        expected = self._expected(tree)
        text = self._insert(_ended(text))
        if _load(text) != expected:
            raise CannotMerge(tr("its list could not be extended without changing something else"))
        return text

    def _expected(self, tree: Any) -> Any:
        outer = {} if tree is None and self.key is not None else tree
        if self.key is not None and not isinstance(outer, dict):
            raise CannotMerge(tr("it is no mapping, so {key!r} has no place in it", key=self.key))
        items = outer if self.key is None else outer.get(self.key)
        if not isinstance(items, list | None):
            raise CannotMerge(tr("there is something else where a list belongs"))
        items = [*(items or []), self.item]
        return items if self.key is None else outer | {self.key: items}

    def _insert(self, text: str) -> str:
        root = yaml.compose(text, yaml.SafeLoader)
        found = root
        if self.key is not None and root is not None:
            found = next((value for name, value in root.value if name.value == self.key), None)
        if found is None:
            head = "" if self.key is None else f"{self.key}:\n"
            return text + head + self._block("" if self.key is None else "  ")
        start, end = found.start_mark.index, found.end_mark.index
        if isinstance(found, yaml.SequenceNode) and not found.flow_style:
            return text[:end] + self._block(" " * found.start_mark.column) + text[end:]
        if found.value:
            raise CannotMerge(tr("its list stands in brackets; write it with one '- ' a line"))
        margin = "" if self.key is None else "  "
        return f"{text[:start].rstrip(' ')}\n{self._block(margin)}{text[end:].lstrip(' ').removeprefix(chr(10))}"

    def _block(self, margin: str) -> str:
        lines = [BEGIN, *_dumped([self.item]).splitlines(), END]
        return "".join(f"{margin}{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class YamlValues:
    """Plain values of a mapping's first level."""

    values: dict[str, str]

    def merge(self, text: str) -> str:
        """Return the text with the values. Raises: CannotMerge."""
        tree = _load(text)
        if not isinstance(tree, dict | None):
            raise CannotMerge(tr("it is no mapping"))
        text = _ended(text)
        for key, value in self.values.items():
            text = _set(text, key, value)
        if _load(text) != (tree or {}) | self.values:
            raise CannotMerge(tr("its values could not be set without changing others"))
        return text


def _set(text: str, key: str, value: str) -> str:
    root = yaml.compose(text, yaml.SafeLoader)
    pairs = [] if root is None else root.value
    found = next((node for name, node in pairs if name.value == key), None)
    if found is None:
        return f"{text}{_dumped({key: value})}"
    written = _dumped({key: value}).partition(": ")[2].rstrip("\n")
    blank = "" if text[found.start_mark.index - 1 : found.start_mark.index].isspace() else " "
    return text[: found.start_mark.index] + blank + written + text[found.end_mark.index :]


def _load(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = tr("it is not YAML in line {number}", number=mark.line + 1) if mark else tr("it is not YAML")
        raise CannotMerge(problem) from error


def _dumped(value: object) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)
    return text


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
