"""Pages of models as Anthropic's clients turn them."""

from typing import Any

import pytest

from appliance.core.admin import InstalledModel
from appliance.dialects.anthropic.models import model_page, model_wire
from appliance.errors import InvalidRequest


def model(name: str) -> InstalledModel:
    return InstalledModel(
        name=name,
        format="echo",
        digest="sha256:0",
        size_bytes=1,
        architecture=None,
        num_parameters=None,
        quantization=None,
        trained_context_tokens=4096,
        context_tokens=2048,
        capabilities=(),
        is_default=False,
        is_pinned=False,
        state="stopped",
        path="",
        estimated_bytes=None,
        licence=None,
        reasons=(),
        added_s=1_700_000_000.5,
    )


MODELS = [model(name) for name in "abcde"]


def test_a_model_has_its_name_its_age_and_its_context() -> None:
    wire = model_wire(model("qwen3"))
    assert (wire.id, wire.display_name, wire.created_at) == ("qwen3", "qwen3", "2023-11-14T22:13:20Z")
    assert wire.max_input_tokens == 2048


@pytest.mark.parametrize(
    ("query", "names", "has_more"),
    [
        ({}, "abcde", False),
        ({"limit": "2"}, "ab", True),
        ({"limit": "5"}, "abcde", False),
        ({"limit": "2", "after_id": "b"}, "cd", True),
        ({"limit": "2", "after_id": "c"}, "de", False),
        ({"after_id": "e"}, "", False),
        ({"limit": "2", "before_id": "e"}, "cd", True),
        ({"limit": "2", "before_id": "c"}, "ab", False),
        ({"before_id": "a"}, "", False),
    ],
)
def test_a_page_is_what_the_query_asks_for(query: dict[str, str], names: str, has_more: bool) -> None:
    page = model_page(MODELS, query)
    assert "".join(wire.id for wire in page.data) == names
    assert page.has_more is has_more
    ends: tuple[Any, Any] = (names[0], names[-1]) if names else (None, None)
    assert (page.first_id, page.last_id) == ends


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "x"},
        {"limit": "²"},
        {"limit": "9" * 5000},
        {"after_id": "z"},
        {"before_id": "z"},
    ],
)
def test_a_query_that_means_nothing_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        model_page(MODELS, query)
    assert caught.value.param == next(iter(query))
