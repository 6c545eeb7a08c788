"""The tools that Anthropic's models know by heart and clients run themselves, as functions for models that do not."""

from typing import Any

from appliance.core.request import Tool

_PATH = {"type": "string", "description": "The file or folder."}
_VIEW_RANGE = {
    "type": "array",
    "items": {"type": "integer"},
    "description": "For view: the first and the last line to show, counted from 1; -1 is the end of the file.",
}
_FILE_TEXT = {"type": "string", "description": "For create: the content of the file."}
_OLD_STR = {"type": "string", "description": "For str_replace: a text that stands in the file exactly once."}
_INSERT_LINE = {"type": "integer", "description": "For insert: the number of the line to insert after, 0 for the top."}
_NEW_TEXT = {"type": "string", "description": "For insert: the text to insert."}


def _function(name: str, description: str, required: list[str], **properties: dict[str, Any]) -> Tool:
    parameters = {"type": "object", "properties": properties, "required": required}
    return Tool(name=name, description=description, parameters=parameters)


def _commands(*names: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(names)}


_BASH = _function(
    "bash",
    "Run a command in a bash session that keeps its state between calls.",
    [],
    command={"type": "string", "description": "The command to run."},
    restart={"type": "boolean", "description": "Start the session anew instead."},
)
_EDITOR = _function(
    "str_replace_based_edit_tool",
    "View, create and edit text files.",
    ["command", "path"],
    command=_commands("view", "create", "str_replace", "insert"),
    path=_PATH,
    view_range=_VIEW_RANGE,
    file_text=_FILE_TEXT,
    old_str=_OLD_STR,
    new_str={"type": "string", "description": "For str_replace: the text to put in its place."},
    insert_line=_INSERT_LINE,
    insert_text=_NEW_TEXT,
)
_OLDER_EDITOR = _function(
    "str_replace_editor",
    "View, create and edit text files; undo_edit takes the last edit of a file back.",
    ["command", "path"],
    command=_commands("view", "create", "str_replace", "insert", "undo_edit"),
    path=_PATH,
    view_range=_VIEW_RANGE,
    file_text=_FILE_TEXT,
    old_str=_OLD_STR,
    new_str={"type": "string", "description": "For str_replace: the text to put in its place; for insert: the text."},
    insert_line=_INSERT_LINE,
)
_MEMORY = _function(
    "memory",
    "Keep notes for later in the folder /memories. View it before you begin; write down what must not be forgotten.",
    ["command"],
    command=_commands("view", "create", "str_replace", "insert", "delete", "rename"),
    path=_PATH,
    view_range=_VIEW_RANGE,
    file_text=_FILE_TEXT,
    old_str=_OLD_STR,
    new_str={"type": "string", "description": "For str_replace: the text to put in its place."},
    insert_line=_INSERT_LINE,
    insert_text=_NEW_TEXT,
    old_path={"type": "string", "description": "For rename: the present path."},
    new_path={"type": "string", "description": "For rename: the new path."},
)

_BY_TYPE = (
    ("bash_", _BASH),
    ("text_editor_20241022", _OLDER_EDITOR),
    ("text_editor_20250124", _OLDER_EDITOR),
    ("text_editor_", _EDITOR),
    ("memory_", _MEMORY),
)


def client_tool(type: str) -> Tool | None:
    """Return the function that stands for a tool of `type`, under its usual name; None where there is none.

    Source: the inputs that Anthropic documents for its bash, text editor and memory tools, by version.
    """
    return next((tool for beginning, tool in _BY_TYPE if type.startswith(beginning)), None)
