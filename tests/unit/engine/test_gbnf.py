"""GBNF means here what it means where it comes from: each grammar with sentences of it and texts that are none."""

import re

import pytest

from appliance.backends.echo_tokenizer import EchoTokenizer
from appliance.core.request import Grammar
from appliance.engine.constraint import Grammars
from appliance.engine.gbnf import MAX_NESTING, gbnf_to_lark
from appliance.engine.gbnf_words import BadGbnf

GRAMMARS = Grammars(EchoTokenizer(512))

JSON = r"""
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::=
  "\"" (
    [^"\\\x7F\x00-\x1F] |
    "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
# optional white space
ws ::= | " " | "\n" [ \t]{0,20}
"""

CASES = {
    "choice": ('root ::= "yes" | "no"', ["yes", "no"], ["y", "yesno", ""]),
    "rules": ('root ::= greeting " " name\ngreeting ::= "hi" | "bye"\nname ::= [A-Z] [a-z]+', ["hi Ann"], ["hi ann"]),
    "lines": ('root ::=\n  "a"\n  | "b"\n\n# a remark\n', ["a", "b"], ["ab"]),
    "counts": ('root ::= "a"{2} "b"{1,} "c"{,2}'.replace("{,2}", "{0,2}"), ["aab", "aabbbcc"], ["ab", "aa", "aabccc"]),
    "optional": ('root ::= "a"? "b"* "c"+', ["c", "abbc", "ccc"], ["a", "ab"]),
    "group": ('root ::= ("a" | "b" "c")+ "!"', ["a!", "bca!"], ["b!", "c!"]),
    "class": (r'root ::= [a-c\]\-^/"]+', ['a]-^/"', "b"], ["d", "\\"]),
    "leading hyphen": ("root ::= [-a] [a-]", ["-a", "a-"], ["b-"]),
    "negated": (r'root ::= "\"" [^"\\\n]* "\""', ['"größer / kleiner"', '""'], ['"\n"', '"\\"']),
    "any": ('root ::= . "."', ["a.", "\n.", "é."], ["a", "aa"]),
    "escapes": (r'root ::= "\t\x41\u00e4\U0001F642\\\"/"', ['\tAä🙂\\"/'], ["tA"]),
    "recursion": ('root ::= "(" root ")" | "x"', ["x", "((x))"], ["(x", "()"]),
    "left recursion": ('root ::= root "," item | item\nitem ::= [0-9]+', ["1", "1,22,3"], ["1,", ",1"]),
    "names": ('root ::= a-b a_b aB\na-b ::= "1"\na_b ::= "2"\naB ::= "3"', ["123"], ["111"]),
    "a word before a letter": (
        'root ::= pair | "(" root ")"\npair ::= word "x"\nword ::= [a-z]+',
        ["abx", "(abx)"],
        ["ab"],
    ),
    "a word before a letter in a row": ('root ::= [a-z]+ "x" | "(" root ")"', ["abxx", "(abx)"], ["a"]),
    "nothing": ('root ::= "a" ( | "b")', ["a", "ab"], ["b"]),
    "json": (JSON, ['{"a": [1, -2.5e3, "x\\n", {}], "b":\n  null}'], ['{"a": 01}', "[1]", '{"a" 1}']),
}


def accepts(grammar: str, text: str) -> bool:
    compiled = GRAMMARS.compile(Grammar(text=grammar, syntax="gbnf", param="grammar"))
    assert compiled is not None
    matcher = compiled.start()
    tokens = list(text.encode())
    if matcher.num_valid(tokens) < len(tokens):
        return False
    for token in tokens:
        matcher.accept(token)
    return matcher.may_end


@pytest.mark.parametrize("name", CASES)
def test_a_grammar_has_its_sentences_and_no_others(name: str) -> None:
    grammar, sentences, others = CASES[name]
    assert [text for text in sentences if not accepts(grammar, text)] == []
    assert [text for text in others if accepts(grammar, text)] == []


@pytest.mark.parametrize(
    ("grammar", "problem"),
    [
        ("", "no rule `root`"),
        ("hello", "line 1: expected a rule"),
        ('start ::= "a"', "no rule `root`"),
        ('root ::= "a', "line 1: cannot read"),
        ("root ::= [a", "line 1: cannot read"),
        ("root ::= []", "line 1: the set [] is empty"),
        ("root ::= [^]", "line 1: the set [^] is empty"),
        ('root ::= "a"\n\nother ::= missing', "line 3: there is no rule 'missing'"),
        ('root ::= ("a" | "b"', "line 1: this parenthesis is never closed"),
        ('root ::= "a")', "line 1: expected a rule"),
        ('root ::= * "a"', "line 1: '*' cannot stand here"),
        (r'root ::= "\uD800"', "line 1: 0xd800 is no character"),
        (r'root ::= "\U00110000"', "line 1: 0x110000 is no character"),
        ("root ::= " + "(" * (MAX_NESTING + 1) + '"a"' + ")" * (MAX_NESTING + 1), "parentheses inside each other"),
    ],
)
def test_what_is_no_grammar_is_refused_with_its_line(grammar: str, problem: str) -> None:
    with pytest.raises(BadGbnf, match=re.escape(problem)):
        gbnf_to_lark(grammar)
