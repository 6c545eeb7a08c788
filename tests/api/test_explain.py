"""`/admin/v1/explain`: all ways of running a model here, the one that is taken first."""

import httpx
import msgspec

from appliance.core.measurement import Explanation


def test_a_model_is_explained_by_its_name(http: httpx.Client) -> None:
    response = http.get("/admin/v1/explain/guide")
    found = msgspec.json.decode(response.content, type=Explanation)
    assert (response.status_code, found.model, found.task) == (200, "guide", "generate")
    assert [each.variant for each in found.candidates] == ["llama_cpp-Q8_0"]
    assert (found.chosen_by, found.candidates[0].is_chosen, found.candidates[0].is_measured) == (
        "only one",
        True,
        False,
    )
    assert found.candidates[0].reason == found.reasons[0]
    assert found.context_tokens == 2048


def test_a_name_with_a_variant_is_explained_as_forced(http: httpx.Client) -> None:
    found = msgspec.json.decode(http.get("/admin/v1/explain/guide@Q8_0").content, type=Explanation)
    assert (found.model, found.chosen_by) == ("guide@Q8_0", "name")


def test_what_is_not_there_is_said(http: httpx.Client) -> None:
    missing = http.get("/admin/v1/explain/nobody")
    assert (missing.status_code, "not found" in missing.text) == (404, True)
    variant = http.get("/admin/v1/explain/guide@tvm")
    assert (variant.status_code, "there are: llama_cpp-Q8_0" in variant.text) == (404, True)
