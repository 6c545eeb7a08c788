"""What stands for `{model}`, `{file}` and the like: names of great variety, so that the model learns to copy them.

A slot that the question holds gets one random value, in the question and in the answer. A slot of the answer alone
gets a placeholder, as in a help text.
"""

import re
from collections.abc import Callable
from random import Random

from . import words

PLACEHOLDERS = {
    "model": "NAME",
    "file": "FILE.gguf",
    "folder": "FOLDER",
    "config": "FILE",
    "port": "9000",
    "key": "NAME",
    "text": "TEXT",
    "question": "QUESTION",
    "capture": "FILE",
}
_SLOT = re.compile(r"\{(\w+)\}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_CONSONANTS = "bcdfghjklmnpqrstvwxz"
_VOWELS = "aeiouy"


def fill(question: str, answer: str, random: Random) -> tuple[str, str]:
    """Return both texts with their slots filled. Raises: KeyError where a slot is unknown."""
    is_english = question.isascii()
    values = {name: _VALUES[name](random, is_english) for name in dict.fromkeys(_SLOT.findall(question))}
    filled = _SLOT.sub(lambda match: values[match[1]], question)
    values = PLACEHOLDERS | values
    return filled, _SLOT.sub(lambda match: values[match[1]], answer)


def model_name(random: Random) -> str:
    """Return a model's name as people write it: `qwen3-0.6b-q8_0`, `my/model:v2`, `zorvik`."""
    name = _family(random) if random.random() < 0.5 else _invented(random)
    if random.random() < 0.15:
        name = f"{random.choice(words.PUBLISHERS) if random.random() < 0.5 else _syllables(random)}/{name}"
    if random.random() < 0.15:
        name = f"{name}:{random.choice(words.TAGS) if random.random() < 0.7 else _number(random, 3)}"
    return name


def key_name(random: Random) -> str:
    """Return the name of a key: `laptop`, `alice`, `ci-7`."""
    name = random.choice(words.KEYS) if random.random() < 0.6 else _syllables(random)
    chance = random.random()
    if chance < 0.15:
        return f"{name}-{random.choice((_number(random, 3), *words.KEYS))}"
    if chance < 0.2:
        return f"{name}_{random.choice(words.KEYS)}"
    return f"{name}{_number(random, 2)}" if chance < 0.3 else name


def file_path(random: Random, ending: str) -> str:
    """Return a path that ends as said, relative or absolute."""
    stem = re.sub(r"[/:]", "-", model_name(random))
    stem = random.choice((stem, stem, stem, stem.title(), stem.upper()))
    return _folder(random) + stem + ending


def folder_path(random: Random) -> str:
    """Return a folder's path, recognizable by a slash: `~/models/zorvik`, `./qwen3-0.6b`."""
    path = file_path(random, "")
    return path if "/" in path else f"./{path}"


def _family(random: Random) -> str:
    name = random.choice(words.FAMILIES)
    if random.random() < 0.7:
        name += f"{random.choice('---_')}{random.choice(words.SIZES)}"
    if random.random() < 0.35:
        name += f"-{random.choice(words.KINDS)}"
    if random.random() < 0.35:
        name += f"{random.choice('--._')}{random.choice(words.QUANTIZATIONS)}"
    return name.upper() if random.random() < 0.02 else name


def _invented(random: Random) -> str:
    parts = [_part(random) for _ in range(random.choice((1, 1, 1, 2, 2, 3)))]
    return random.choice("---_.").join(parts)


def _part(random: Random) -> str:
    chance = random.random()
    if chance < 0.5:
        return _syllables(random)
    if chance < 0.75:
        return random.choice(words.KEYS + words.KINDS)
    if chance < 0.9:
        return random.choice(_LETTERS) + "".join(random.choices(_LETTERS + "0123456789", k=random.randint(1, 6)))
    return _syllables(random) + _number(random, 2)


def _syllables(random: Random) -> str:
    text = "".join(
        random.choice(_CONSONANTS) + random.choice(_VOWELS) for _ in range(random.choice((1, 2, 2, 2, 3, 3)))
    )
    return text + random.choice(("", "n", "r", "x", "k", "s", "l", "th", "m", "nd")) if len(text) > 2 else text + "x"


def _number(random: Random, digits: int) -> str:
    return str(random.randint(1, 10 ** random.randint(1, digits)))


def _folder(random: Random) -> str:
    if random.random() < 0.4:
        return ""
    root = random.choice(words.ROOTS)
    middle = random.choice(("", "", f"{random.choice(words.FOLDERS)}/", f"{_syllables(random)}/"))
    return root + middle


def _config(random: Random, is_english: bool) -> str:
    stem = random.choice(words.CONFIGS) if random.random() < 0.6 else _part(random)
    return f"{_folder(random)}{stem}.toml"


def _capture(random: Random, is_english: bool) -> str:
    stem = random.choice(words.CAPTURES) if random.random() < 0.5 else _part(random)
    return _folder(random) + stem + random.choice((".json", ".json", ".json", "", ".txt", ".capture"))


def _port(random: Random, is_english: bool) -> str:
    return str(random.choice(words.PORTS) if random.random() < 0.4 else random.randint(1024, 65535))


def _text(random: Random, is_english: bool) -> str:
    if not is_english and random.random() < 0.8:
        return _joined(words.CHINESE_INSTRUCTIONS, random)
    return _joined(words.INSTRUCTIONS, random)


def _question(random: Random, is_english: bool) -> str:
    if not is_english and random.random() < 0.8:
        return _joined(words.CHINESE_QUESTIONS, random)
    return _joined(words.QUESTIONS, random)


def _joined(patterns: tuple[tuple[str, tuple[str, ...]], ...], random: Random) -> str:
    frame, objects = random.choice(patterns)
    return frame.format(random.choice(objects))


_VALUES: dict[str, Callable[[Random, bool], str]] = {
    "model": lambda random, _: model_name(random),
    "file": lambda random, _: file_path(random, ".gguf"),
    "folder": lambda random, _: folder_path(random),
    "config": _config,
    "port": _port,
    "key": lambda random, _: key_name(random),
    "text": _text,
    "question": _question,
    "capture": _capture,
}
