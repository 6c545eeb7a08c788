"""The languages that people are spoken to in: English as it stands in the code, and what it is in theirs.

Whoever speaks to a person wraps the English sentence in `tr`; a language is one file of sentences beside this one.
Logs, the API and `--json` stay English: programs read them.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

_FOLDER = Path(__file__).parent
_sentences: dict[str, str] = {}


def use_language(language: str) -> None:
    """Speak this language from now on; one that has no file is English."""
    file = _FOLDER / f"{language}.json"
    sentences = msgspec.json.decode(file.read_bytes(), type=dict[str, str]) if file.exists() else {}
    _sentences.clear()
    _sentences.update(sentences)


def language_of(environ: Mapping[str, str]) -> str:
    """Return the language that the locale asks for, `en` where it asks for none.

    Source: POSIX.1-2024, chapter 8.2: the first of these variables that is not empty decides.
    """
    locale = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := environ.get(name))), "")
    language = locale.partition(".")[0].partition("@")[0].partition("_")[0].lower()
    return language if language.isalpha() and language != "c" else "en"


def tr(text: str, **values: object) -> str:
    """Return `text` in the language in use, with `{name}` in it replaced by the value of that name."""
    sentence = _sentences.get(text, text)
    return sentence.format(**values) if values else sentence


def counted(number: int, one: str, many: str) -> str:
    """Return `one`, or `many` with `{number}` in it replaced, in the language in use."""
    return tr(one if number == 1 else many, number=number)
