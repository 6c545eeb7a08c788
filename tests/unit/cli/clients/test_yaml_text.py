"""YAML: an item and plain values are put in, and all else stays as it was typed."""

import pytest
import yaml

from appliance.cli.clients.entry import CannotMerge
from appliance.cli.clients.yaml_text import BEGIN, END, YamlItem, YamlValues

ITEM = {"name": "ours", "url": "http://127.0.0.1:1/v1"}
LISTED = """\
name: Mine  # really
models:
  # the big one
  - name: big
    roles: [chat]

  - name: small

rules:
  - be brief
"""


def test_an_item_goes_to_the_end_of_its_list() -> None:
    after = YamlItem("models", ITEM).merge(LISTED)

    assert [model["name"] for model in yaml.safe_load(after)["models"]] == ["big", "small", "ours"]
    added = f"  {BEGIN}\n  - name: ours\n    url: http://127.0.0.1:1/v1\n  {END}\n"
    assert after.replace(added, "") == LISTED


def test_it_takes_the_place_of_the_one_that_was_written_before() -> None:
    once = YamlItem("models", ITEM).merge(LISTED)
    assert YamlItem("models", ITEM).merge(once) == once
    other = YamlItem("models", ITEM | {"name": "other"}).merge(once)
    assert [model["name"] for model in yaml.safe_load(other)["models"]] == ["big", "small", "other"]


@pytest.mark.parametrize(
    "text", ["", "# nothing yet\n", "a: 1", "models:\n", "models: []\nb: 2\n", "models:\n- name: big\nb: 2"]
)
def test_a_list_is_begun_where_there_is_none(text: str) -> None:
    before = yaml.safe_load(text) or {}
    after = yaml.safe_load(YamlItem("models", ITEM).merge(text))
    assert after == before | {"models": [*(before.get("models") or []), ITEM]}


@pytest.mark.parametrize("text", ["", "# mine\n", "- model_id: a\n", "  - model_id: a\n  - model_id: b"])
def test_a_file_may_be_the_list(text: str) -> None:
    after = YamlItem(None, ITEM).merge(text)
    assert yaml.safe_load(after) == [*(yaml.safe_load(text) or []), ITEM]
    assert after.startswith(text)


def test_a_new_file_begins_with_what_the_program_wants_there() -> None:
    after = YamlItem("models", ITEM, head={"name": "Local", "schema": "v1"}).merge("")
    assert yaml.safe_load(after) == {"name": "Local", "schema": "v1", "models": [ITEM]}
    assert "Local" not in YamlItem("models", ITEM, head={"name": "Local"}).merge(LISTED)


def test_values_are_changed_where_they_stand_and_else_added() -> None:
    before = "# mine\nmodel: gpt  # dear\ndark-mode: true\nempty:\n"
    after = YamlValues({"model": "openai/guide", "key": "none", "empty": "1.0"}).merge(before)
    assert after == "# mine\nmodel: openai/guide  # dear\ndark-mode: true\nempty: '1.0'\nkey: none\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "not YAML in line"),
        ("models: !secret x\n", "not YAML in line 1"),
        ("models: [{name: big}]\n", "in brackets"),
        ("{}\n", "not YAML"),
        ("models: big\n", "something else where a list belongs"),
        ("- a\n", "no mapping"),
    ],
)
def test_what_would_lose_something_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(CannotMerge, match=reason):
        YamlItem("models", ITEM).merge(text)


def test_values_have_no_place_in_a_list() -> None:
    with pytest.raises(CannotMerge, match="no mapping"):
        YamlValues({"model": "x"}).merge("- a\n")
