"""From GBNF to the Lark that grammars are compiled from. Pure: text in, text out.

GBNF knows characters only; the library reads *lexemes*, each as long as it can be. So everything regular that stands
together becomes one lexeme: `word "x"` is one regular expression and means what it says, where a lexeme `word` of its
own would swallow the x. Only recursion is left to the rules.
Source: the GBNF guide of the GGUF project (`grammars/README.md`), and llguidance's `docs/syntax.md`.
"""

from dataclasses import dataclass

from .gbnf_words import BadGbnf, Word, character_set, literal, words

MAX_NESTING = 100


@dataclass(frozen=True, slots=True)
class _Piece:
    """Something that is written as it is: a text, a set of characters, or a special token, which is not regular."""

    lark: str
    is_regular: bool = True


@dataclass(frozen=True, slots=True)
class _Reference:
    name: str


@dataclass(frozen=True, slots=True)
class _Repeat:
    node: "_Node"
    suffix: str


@dataclass(frozen=True, slots=True)
class _Row:
    nodes: tuple["_Node", ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    nodes: tuple["_Node", ...]


_Node = _Piece | _Reference | _Repeat | _Row | _Choice


def gbnf_to_lark(text: str) -> str:
    """Return the same grammar as Lark. Raises: BadGbnf."""
    return _Writer(_Parser(text).rules()).write()


class _Parser:
    def __init__(self, text: str) -> None:
        self._words = words(text)
        self._named: list[Word] = []
        self._place = 0
        self._depth = 0

    def rules(self) -> dict[str, _Node]:
        """Return the rules by their names."""
        rules: dict[str, _Node] = {}
        while (token := self._peek()).kind != "end":
            if token.kind != "name" or not self._begins_rule():
                raise BadGbnf(f'line {token.line}: expected a rule such as `root ::= "yes"`, found {token.text!r}')
            self._place += 2
            rules[token.text] = self._choice()
        if "root" not in rules:
            raise BadGbnf("there is no rule `root`, where every answer begins")
        missing = next((named for named in self._named if named.text not in rules), None)
        if missing is not None:
            raise BadGbnf(f"line {missing.line}: there is no rule {missing.text!r}")
        return rules

    def _choice(self) -> _Node:
        rows = [self._row()]
        while self._peek().text == "|":
            self._place += 1
            rows.append(self._row())
        return rows[0] if len(rows) == 1 else _Choice(tuple(rows))

    def _row(self) -> _Node:
        nodes: list[_Node] = []
        while (node := self._item()) is not None:
            while (suffix := self._suffix()) is not None:
                node = _Repeat(node, suffix)
            nodes.append(node)
        return nodes[0] if len(nodes) == 1 else _Row(tuple(nodes))

    def _item(self) -> _Node | None:
        token = self._peek()
        if token.kind == "end" or token.text in ("|", ")") or self._begins_rule():
            return None
        self._place += 1
        if token.kind == "name":
            self._named.append(token)
            return _Reference(token.text)
        if token.kind == "text":
            return _Piece(literal(token.text[1:-1], token.line))
        if token.kind == "set":
            return _Piece(character_set(token.text[1:-1], token.line))
        if token.kind == "special":
            return _Piece(token.text, is_regular=False)
        if token.text == ".":
            return _Piece("/(?s:.)/")
        if token.text == "(":
            return self._group(token)
        raise BadGbnf(f"line {token.line}: {token.text!r} cannot stand here")

    def _group(self, opened: Word) -> _Node:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise BadGbnf(f"line {opened.line}: more than {MAX_NESTING} parentheses inside each other")
        inside = self._choice()
        self._depth -= 1
        if self._peek().text != ")":
            raise BadGbnf(f"line {opened.line}: this parenthesis is never closed")
        self._place += 1
        return inside

    def _suffix(self) -> str | None:
        token = self._peek()
        if token.kind != "count" and token.text not in ("*", "+", "?"):
            return None
        self._place += 1
        return "".join(token.text.split())

    def _begins_rule(self) -> bool:
        return self._words[min(self._place + 1, len(self._words) - 1)].kind == "define"

    def _peek(self) -> Word:
        return self._words[self._place]


class _Writer:
    """Writes rules that recurse as rules, and the regular rest as lexemes, as large as can be."""

    def __init__(self, rules: dict[str, _Node]) -> None:
        self._rules = rules
        self._numbers = {name: number for number, name in enumerate(rules)}
        self._lexemes: list[str] = []
        self._regular = _regular_rules(rules)

    def write(self) -> str:
        """Return the grammar as text."""
        lines = [f"start: {self._name('root')}"]
        for name, node in self._rules.items():
            is_regular = name in self._regular
            lines.append(f"{self._name(name)}: {self._lexeme(node) if is_regular else self._rule(node)}")
        return "\n".join([*lines, *self._lexemes, ""])

    def _name(self, rule: str) -> str:
        """Return a name that Lark takes for a lexeme or a rule, as it should, and that no other rule can have."""
        return f"{'T' if rule in self._regular else 'r'}{self._numbers[rule]}"

    def _is_regular(self, node: _Node) -> bool:
        return _is_regular(node, self._regular)

    def _lexeme(self, node: _Node) -> str:
        if isinstance(node, _Piece):
            return node.lark
        if isinstance(node, _Reference):
            return self._name(node.name)
        if isinstance(node, _Repeat):
            return f"({self._lexeme(node.node)}){node.suffix}"
        if isinstance(node, _Row):
            return " ".join(f"({self._lexeme(each)})" for each in node.nodes) or '""'
        return " | ".join(f"({self._lexeme(each)})" for each in node.nodes)

    def _rule(self, node: _Node) -> str:
        if isinstance(node, _Piece):
            return node.lark
        if isinstance(node, _Reference):
            return self._name(node.name)
        if self._is_regular(node):
            return self._own_lexeme(node)
        if isinstance(node, _Repeat):
            return f"({self._rule(node.node)}){node.suffix}"
        if isinstance(node, _Row):
            return " ".join(f"({self._rule(each)})" for each in self._merged(node.nodes))
        return " | ".join(f"({self._rule(each)})" for each in node.nodes)

    def _merged(self, nodes: tuple[_Node, ...]) -> list[_Node]:
        """Return the row with all regular nodes that are neighbours as one."""
        merged: list[_Node] = []
        run: list[_Node] = []
        for node in (*nodes, None):
            if node is not None and self._is_regular(node):
                run.append(node)
                continue
            if run:
                merged.append(run[0] if len(run) == 1 else _Row(tuple(run)))
                run = []
            if node is not None:
                merged.append(node)
        return merged

    def _own_lexeme(self, node: _Node) -> str:
        name = f"L{len(self._lexemes)}"
        self._lexemes.append(f"{name}: {self._lexeme(node)}")
        return name


def _regular_rules(rules: dict[str, _Node]) -> frozenset[str]:
    """Return the rules without recursion or special tokens, through whatever rules they use."""
    regular: frozenset[str] = frozenset()
    while True:
        found = frozenset(name for name, node in rules.items() if _is_regular(node, regular))
        if found == regular:
            return regular
        regular = found


def _is_regular(node: _Node, regular: frozenset[str]) -> bool:
    """Return whether the node is made of characters and of `regular` rules."""
    if isinstance(node, _Piece):
        return node.is_regular
    if isinstance(node, _Reference):
        return node.name in regular
    if isinstance(node, _Repeat):
        return _is_regular(node.node, regular)
    return all(_is_regular(each, regular) for each in node.nodes)
