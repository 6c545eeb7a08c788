"""Patterns of text: `(a|b|)` is a choice and may be nested, `<name>` a shared pattern, `{slot}` stays for slots.py."""

import re
from collections.abc import Callable
from functools import cache
from random import Random

from . import frames_zh, macros

_MACROS = macros.MACROS | frames_zh.MACROS
_TOKEN = re.compile(r"[()|]|<\w+>|[^()|<]+")
_ARTICLE = re.compile(r"\b([Aa]) (?=AI\b|LL?M\b|API\b|(?!one\b)[aeio]|Open)")
_NO_VOWEL = re.compile(r"\b([Aa])n (?=[b-df-gj-np-tv-z])")
_WORD = re.compile(r"[a-z]{5,}")

_OPENINGS = (
    *("hi, ", "hello, ", "hey, ", "ok ", "ok, ", "okay, ", "so, ", "so ", "and ", "um, ", "well, ", "right, ", "now "),
    *("sorry, ", "excuse me, ", "quick question: ", "good morning, ", "question: ", "please, ", "hey guide, "),
)
_CLOSINGS = (", please", " please", ", thanks", " thanks", ", thank you", "? thanks", " pls", " thx", ", anyone?")
_ENDINGS = ("", "", "?", "?", ".", "!", " ?", "??")
_CHINESE_OPENINGS = (
    "请问，",
    "你好，",
    "您好，",
    "麻烦问一下，",
    "嗯，",
    "那么，",
    "想问一下，",
    "哈喽，",
    "大家好，",
    "在吗，",
)
_CHINESE_STARTS = ("请", "你好", "您好", "麻烦", "想", "嗯", "新手", "哈喽", "嗨", "hi", "hello")
_CHINESE_CLOSINGS = ("，谢谢", "，谢谢！", "，急", "，拜托了", "，多谢")
_CHINESE_ENDINGS = ("", "？", "?", "。", "！", "…")
_CHINESE_GAP = re.compile(
    r"(?<=[\u4e00-\u9fff，。]) +(?=[\u4e00-\u9fff，。？])|(?<=[\w}]) +(?=[，。？])|(?<=[，。？]) +(?=[\w{])"
)
_CHINESE_BORDER = re.compile(r"(?<=[\u4e00-\u9fff]) *(?=[A-Za-z0-9{])|(?<=[A-Za-z0-9}%]) *(?=[\u4e00-\u9fff])")


def expand(pattern: str, random: Random) -> str:
    """Return one text of those that the pattern stands for. Raises: ValueError."""
    text = _draw(_parse(pattern), random)
    text = re.sub(r"\s+([,.?!])", r"\1", re.sub(r"\s+", " ", text))
    return _NO_VOWEL.sub(r"\1 ", _ARTICLE.sub(r"\1n ", text.strip()))


class _Choice:
    """Alternatives; each is a sequence of plain texts, names of shared patterns in <> and further choices."""

    def __init__(self) -> None:
        self.alternatives: list[list[str | _Choice]] = [[]]


@cache
def _parse(pattern: str) -> _Choice:
    """Read a pattern once; drawing from it then touches only the alternatives that are drawn."""
    open_choices = [_Choice()]
    for piece in _TOKEN.findall(pattern):
        if piece == "(":
            inner = _Choice()
            open_choices[-1].alternatives[-1].append(inner)
            open_choices.append(inner)
        elif piece == ")":
            open_choices.pop()
            if not open_choices:
                raise ValueError(f"a bracket too many in {pattern!r}")
        elif piece == "|":
            open_choices[-1].alternatives.append([])
        else:
            open_choices[-1].alternatives[-1].append(piece)
    if len(open_choices) > 1:
        raise ValueError(f"a bracket is missing in {pattern!r}")
    return open_choices[0]


def _draw(choice: _Choice, random: Random) -> str:
    text = ""
    for part in random.choice(choice.alternatives):
        if isinstance(part, _Choice):
            text += _draw(part, random)
        elif part.startswith("<"):
            text += _draw(_parse(_MACROS[part[1:-1]]), random)
        else:
            text += part
    return text


def roughen(text: str, random: Random) -> str:
    """Return the text as somebody in a hurry may have typed it. Slots stay as they are."""
    if not text.isascii():
        return _roughen_chinese(text, random)
    if random.random() < 0.15:
        text = text.replace("'", "")
    if random.random() < 0.06:
        text = _mistype(text, random)
    words = len(text.split())
    if words > 2 and random.random() < 0.1:
        text = random.choice(_OPENINGS) + text
    if words > 2 and random.random() < 0.08:
        text = text.rstrip("?.!") + random.choice(_CLOSINGS)
    elif random.random() < 0.5:
        text = text.rstrip("?.!") + random.choice(_ENDINGS)
    return _recase(text, random)


def _roughen_chinese(text: str, random: Random) -> str:
    if len(text) > 4 and random.random() < 0.08 and not text.startswith(_CHINESE_STARTS):
        text = random.choice(_CHINESE_OPENINGS) + text
    if len(text) > 4 and random.random() < 0.04 and "谢" not in text:
        text = text.rstrip("？?。！") + random.choice(_CHINESE_CLOSINGS)
    elif random.random() < 0.25 and text[-1] not in "呢啊":
        text = text.rstrip("？?。！") + random.choice(_CHINESE_ENDINGS)
    return _respace(text, random)


def _respace(text: str, random: Random) -> str:
    """Set or drop the spaces between Chinese and Latin signs: some writers do the one, some the other."""
    text = _CHINESE_GAP.sub("", text)
    chance = random.random()
    if chance < 0.35:
        return _CHINESE_BORDER.sub("", text)
    return _CHINESE_BORDER.sub(" ", text) if chance < 0.7 else text


def _recase(text: str, random: Random) -> str:
    chance = random.random()
    if chance < 0.4:
        return text[:1].upper() + text[1:]
    if chance < 0.6:
        return _outside_slots(text, str.lower)
    if chance < 0.62:
        return _outside_slots(text, str.upper)
    return text


def _outside_slots(text: str, change: Callable[[str], str]) -> str:
    parts = re.split(r"(\{\w+\})", text)
    return "".join(part if part.startswith("{") else change(part) for part in parts)


def _mistype(text: str, random: Random) -> str:
    """Drop, double or swap one letter of one longer word."""
    words = [match for match in _WORD.finditer(text) if text[match.start() - 1 : match.start()] != "{"]
    if not words:
        return text
    word = random.choice(words)
    at = random.randrange(word.start() + 1, word.end() - 1)
    here, after = text[at], text[at + 1]
    slip = random.choice((after, here + here + after, after + here))
    return text[:at] + slip + text[at + 2 :]
