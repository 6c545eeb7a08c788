"""Model names: what the grammar admits is kept, and nothing else gets in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.names import InvalidModelName, ModelName, name_from_stem

PART = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,12}", fullmatch=True)
NAMES = st.builds(
    ModelName,
    name=PART,
    publisher=st.none() | PART,
    tag=PART,
    adapters=st.lists(PART, max_size=3).map(tuple),
    variant=st.none() | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True),
)


@given(NAMES)
def test_a_name_written_out_is_parsed_back(name: ModelName) -> None:
    assert ModelName.parse(str(name)) == name


@given(st.text(max_size=40))
def test_any_text_is_a_plain_name_or_refused(text: str) -> None:
    try:
        name = ModelName.parse(text)
    except InvalidModelName:
        return
    for part in (name.name, name.publisher or "x", name.tag, *name.adapters):
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", part)


@given(st.text(max_size=40))
def test_a_file_name_becomes_a_valid_name_or_is_refused(stem: str) -> None:
    try:
        name = name_from_stem(stem)
    except InvalidModelName:
        return
    assert ModelName.parse(str(name)) == name


def test_each_part_is_found() -> None:
    assert ModelName.parse("Ai-Lab/Qwen3-0.6B:Stable+tone,law@Q4_K_M") == ModelName(
        name="qwen3-0.6b", publisher="ai-lab", tag="stable", adapters=("tone", "law"), variant="Q4_K_M"
    )


def test_the_default_tag_is_not_shown() -> None:
    assert str(ModelName.parse("qwen3:latest")) == "qwen3"
    assert str(ModelName.parse("Qwen3:1@tvm")) == "qwen3:1@tvm"
    assert ModelName.parse("a/b:c+d").repository == "a/b"


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "../x", "a/../b", "/a", "a/", "a//b", "a/b/c", "-a", "a:", "a@", "a+", "a+b,", "a b", "ä"),
        *("a\x00", "a\n", "a@b/c", "a@..", "x" * 201),
        "\N{KELVIN SIGN}",  # its lower case is a plain k
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidModelName, match="is not a model name"):
        ModelName.parse(text)


@pytest.mark.parametrize(
    ("stem", "name"),
    [("Qwen3 0.6B (Q8_0)", "qwen3-0.6b-q8_0"), ("../../etc", "etc"), ("--help", "help"), ("Grüße", "gr-e")],
)
def test_a_file_name_is_cleaned(stem: str, name: str) -> None:
    assert str(name_from_stem(stem)) == name
