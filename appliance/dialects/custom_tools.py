"""Custom tools, which take a text and not JSON: to the model they are functions with one string.

`{"input": "..."}` is what the model writes, and the text within is what the caller gets, also piece by piece.
"""

import json
import re
from typing import Any, Literal

from appliance.core.request import Tool

_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}
_SHORTEST_HEAD = '{"input":"'
_HEAD = re.compile(r'\s*\{\s*"input"\s*:\s*"')
# Characters and escapes that are whole: a high surrogate is so once it is known whether its low one follows
_WHOLE = re.compile(
    r'(?:[^"\\]+|\\[^u]|\\u(?![dD][89abAB])[0-9a-fA-F]{4}'
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[0-9a-fA-F]{4}|(?=[^\\]|\\[^u])))*"
)


def custom_tool(name: str, description: str, pattern: str | None = None, grammar: str | None = None) -> Tool:
    """Return the function that stands for a custom tool.

    An input that must match `pattern` as a whole is held to it; a `grammar` is told to the model.
    """
    parameters = _PARAMETERS
    if pattern is not None:
        parameters = {**_PARAMETERS, "properties": {"input": {"type": "string", "pattern": f"^(?:{pattern})$"}}}
    if grammar is not None:
        description = f"{description}\n\nThe input is a sentence of this grammar:\n{grammar}".strip()
    return Tool(name=name, description=description, parameters=parameters, is_strict=True)


def arguments_of(input: str) -> str:
    """Return the arguments of a call whose text is `input`."""
    return json.dumps({"input": input}, ensure_ascii=False)


def input_of(arguments: str) -> str:
    """Return the text that a call's `arguments` hold; of a call that was cut off, as much as there is."""
    reader = InputReader()
    return reader.add(arguments) + reader.end()


class InputReader:
    """Reads the text out of arguments that come in pieces. Arguments of another form are passed on as they are."""

    def __init__(self) -> None:
        self._unread = ""
        self._place: Literal["before", "inside", "after", "elsewhere"] = "before"

    def add(self, piece: str) -> str:
        """Return what is certain after `piece`; half an escape waits for its other half."""
        self._unread += piece
        if self._place == "before":
            self._begin()
        if self._place == "inside":
            return self._read()
        return self.end() if self._place == "elsewhere" else ""

    def end(self) -> str:
        """Return what is left when nothing more comes."""
        text, self._unread = self._unread, ""
        return text if self._place in ("before", "elsewhere") else ""

    def _begin(self) -> None:
        if head := _HEAD.match(self._unread):
            self._place, self._unread = "inside", self._unread[head.end() :]
        elif not _SHORTEST_HEAD.startswith("".join(self._unread.split())):
            self._place = "elsewhere"

    def _read(self) -> str:
        whole = _WHOLE.match(self._unread)
        end = whole.end() if whole else 0
        text, self._unread = self._unread[:end], self._unread[end:]
        if self._unread.startswith('"'):
            self._place = "after"
        return _unescaped(text)


def _unescaped(text: str) -> str:
    """Return the text that a JSON string stands for; raw line breaks are taken, and broken escapes stay as they are."""
    if "\\" not in text:
        return text
    try:
        read: str = json.loads(f'"{text}"', strict=False)
    except ValueError:
        return text
    return read.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
