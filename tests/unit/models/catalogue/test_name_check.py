"""Names that belong to somebody else: imitations are found, and the names of honest models are left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue.name_check import RULE, check_name


@pytest.mark.parametrize(
    "name",
    [
        "chatgpt-local",
        "chat-gpt",
        "gpt-4o-mini",
        "support-gpt",
        "claude",
        "claude-3.5",
        "acme/gemini:v2",
        "copilot-for-us",
        "my-siri",
    ],
)
def test_the_name_of_a_service_is_never_a_models_own(name: str) -> None:
    note = check_name(name)
    assert note is not None
    assert "which belongs to" in note
    assert note.endswith(RULE)


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("qw3n-8b", "Alibaba"),
        ("qvven3-8b", "Alibaba"),
        ("q-wen", "Alibaba"),
        ("1lama3", "Meta"),
        ("l1ama-3", "Meta"),
        ("lama-3", "Meta"),
        ("llamma", "Meta"),
        ("g3mma", "Google"),
        ("gernini-pro", "Google"),
        ("ph1-4", "Microsoft"),
        ("mistrall-7b", "Mistral"),
        ("misrtal", "Mistral"),
        ("deepseak-r1", "DeepSeek"),
        ("deep-seek-r1", "DeepSeek"),
        ("openal", "OpenAI"),
        ("c1aude", "Anthropic"),
        ("smo1lm", "Hugging Face"),
        ("k1mi", "Moonshot"),
    ],
)
def test_a_name_that_only_looks_right_is_found(name: str, whose: str) -> None:
    assert whose in str(check_name(name))


@pytest.mark.parametrize(
    "name",
    [
        "guide",
        "heron-support",
        "acme/tiny:v2",
        "gamma-ray",
        "falcons-eye-search",
        "gpt-oss-20b",
        "gpt2",
        "gptq-test",
        "philosophy",
        "minimal",
        "clause-finder",
        "graphite",
        "my-llama3",
        "qwen3:0.6b",
        "company/qwen3-8b-legal",
        "deepseek-r1-distill-qwen-7b",
        "1234",
        "a",
        "7b",
    ],
)
def test_an_honest_name_is_left_alone(name: str) -> None:
    assert check_name(name) is None


def test_a_right_name_on_another_publishers_model_is_found() -> None:
    assert "is another model" in str(check_name("qwen3-8b", ("Meta Llama 3.1 8B", None, "hf:meta-llama/x")))
    assert check_name("qwen3-8b", ("Qwen3 8B",)) is None
    assert check_name("qwen3-8b", ("an own title",)) is None, "what says nothing speaks against nothing"


def test_a_publisher_in_the_name_must_be_the_models() -> None:
    assert "names Alibaba Cloud as its publisher" in str(check_name("qwen/heron", ("Heron, made by us",)))
    assert check_name("qwen/qwen3-8b", ("Qwen3 8B",)) is None
    assert check_name("qwen/heron") is None


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789._-/:", min_size=1, max_size=60))
def test_any_name_is_judged(name: str) -> None:
    note = check_name(name, ("a title",))
    assert note is None or RULE in note
