"""The languages: whether each says everything, and how a text in one of them is set."""

import pytest

from appliance.words import counted, language_of, tr, use_language
from appliance.words.width import fill, ljust, width_of
from tests.words import FOLDER, fields_of, sentences, translated

LANGUAGES = sorted(path.stem for path in FOLDER.glob("*.json"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_every_sentence_and_none_that_nobody_says(language: str) -> None:
    assert set(sentences()) - set(translated(language)) == set()
    assert set(translated(language)) - set(sentences()) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_names_the_same_values(language: str) -> None:
    wrong = [text for text, said in translated(language).items() if fields_of(text) != fields_of(said)]
    assert wrong == []


def test_the_locale_chooses_the_language() -> None:
    assert language_of({"LANG": "zh_CN.UTF-8"}) == "zh"
    assert language_of({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}) == "en"
    assert language_of({"LC_MESSAGES": "zh_TW", "LANG": "de_DE"}) == "zh"
    assert language_of({"LC_ALL": "", "LANG": "../../etc"}) == "en"
    assert language_of({}) == "en"


def test_a_sentence_is_english_where_its_language_has_no_file() -> None:
    use_language("tlh")
    assert tr("{number} models", number=3) == "3 models"
    assert counted(1, "1 model", "{number} models") == "1 model"
    assert counted(2, "1 model", "{number} models") == "2 models"


def test_wide_characters_take_two_columns_and_marks_do_not_begin_a_line() -> None:
    assert width_of("模型 a") == 6
    assert ljust("模型", 6) == "模型  "
    assert fill("运行模型，看日志", 8) == "运行模型，\n看日志"
    assert fill("one two three", 7, subsequent_indent="  ") == "one two\n  three"
