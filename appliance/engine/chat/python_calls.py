"""Reads calls that are written as in Python, all of them at once: no part of Python is sure before its end."""

import ast
import json
from typing import Any

from .names import is_name
from .values import quiet_python

_JSON_WORDS = {"true": True, "false": False, "null": None}


def read_python_calls(text: str) -> list[tuple[str, dict[str, Any]]] | None:
    """Return the calls of a list, of lines or inside `print(...)`; None where anything else is written."""
    try:
        with quiet_python():
            statements = ast.parse(text.strip()).body
        nodes: list[ast.expr] = []
        for statement in statements:
            if not isinstance(statement, ast.Expr):
                return None
            nodes += statement.value.elts if isinstance(statement.value, ast.List) else [statement.value]
        return [_call(node) for node in nodes]
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _call(node: ast.expr) -> tuple[str, dict[str, Any]]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print" and node.args:
        node = node.args[0]
    if not isinstance(node, ast.Call) or node.args:
        raise ValueError("not a call with named arguments")
    _JsonWords().visit(node)
    arguments = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords if keyword.arg}
    json.dumps(arguments, allow_nan=False)
    name = ast.unparse(node.func)
    if not is_name(name):
        raise ValueError("not the name of a function")
    return name, arguments


class _JsonWords(ast.NodeTransformer):
    """Models mix the two languages: what JSON calls `null` is `None` here."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Return the constant that a word of JSON stands for."""
        return ast.Constant(_JSON_WORDS[node.id]) if node.id in _JSON_WORDS else node
