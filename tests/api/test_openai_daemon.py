"""The OpenAI dialect before a real daemon with the embedded model: what the words of a request make of an answer."""

from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import openai as library
import pytest
from openai import OpenAI, pydantic_function_tool
from pydantic import BaseModel, Field

from tests.conftest import RealDaemon

HI: list[Any] = [{"role": "user", "content": "Name a city."}]


class City(BaseModel):
    """A place."""

    name: Annotated[str, Field(max_length=12)]
    people: Annotated[int, Field(ge=0, le=999)]


@pytest.fixture
def openai(real_daemon: RealDaemon) -> Iterator[OpenAI]:
    with (
        httpx.Client(trust_env=False) as transport,
        OpenAI(base_url=f"{real_daemon.url}/v1", api_key="none", http_client=transport, max_retries=0) as client,
    ):
        yield client


@pytest.mark.parametrize("seed", range(3))
def test_any_model_answers_in_the_shape_that_was_asked_for(openai: OpenAI, seed: int) -> None:
    answer = openai.chat.completions.parse(model="guide", messages=HI, response_format=City, seed=seed)
    assert isinstance(answer.choices[0].message.parsed, City)


@pytest.mark.parametrize("seed", range(3))
def test_any_model_calls_a_tool_that_has_to_be_called(openai: OpenAI, seed: int) -> None:
    with openai.chat.completions.stream(
        model="guide", messages=HI, tools=[pydantic_function_tool(City)], tool_choice="required", seed=seed
    ) as stream:
        choice = stream.get_final_completion().choices[0]
    assert choice.finish_reason == "tool_calls"
    assert not choice.message.content
    assert choice.message.tool_calls
    assert all(isinstance(call.function.parsed_arguments, City) for call in choice.message.tool_calls)


def test_a_schema_at_fault_is_refused_with_its_place(openai: OpenAI) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "text"}}}
    form: Any = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}
    with pytest.raises(library.BadRequestError, match="#/properties/a") as caught:
        openai.chat.completions.create(model="guide", messages=HI, response_format=form)
    assert caught.value.param == "response_format"


@pytest.mark.parametrize(
    "form",
    [
        {"regex": "red|green"},
        {"guided_choice": ["red", "green"]},
        {"grammar": 'root ::= "red" | "green"'},
        {"response_format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": 'start: "red" | "green"'}}},
    ],
    ids=lambda form: next(iter(form)),
)
def test_a_completion_keeps_to_a_grammar(openai: OpenAI, form: dict[str, Any]) -> None:
    answer = openai.completions.create(model="guide", prompt="My colour is", extra_body=form)
    assert (answer.choices[0].text in ("red", "green"), answer.choices[0].finish_reason) == (True, "stop")


def test_a_text_is_scored_without_an_answer(openai: OpenAI) -> None:
    text = "The box answers, été comme hiver."
    answer = openai.completions.create(model="guide", prompt=text, echo=True, logprobs=1, max_tokens=0)
    choice = answer.choices[0]
    assert (choice.text, choice.finish_reason) == (text, "length")
    assert choice.logprobs is not None
    assert choice.logprobs.token_logprobs is not None
    first, *others = choice.logprobs.token_logprobs
    assert first is None
    assert all(logprob <= 0 for logprob in others)
    assert choice.logprobs.text_offset is not None
    assert choice.logprobs.text_offset[-1] < len(text)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 0


def test_the_best_of_several_is_at_least_as_likely_as_any(openai: OpenAI) -> None:
    asked: dict[str, Any] = {"model": "guide", "prompt": "The", "seed": 5, "max_tokens": 6, "logprobs": 0}
    means = []
    for choice in openai.completions.create(**asked, n=4).choices:
        assert choice.logprobs is not None
        logprobs = choice.logprobs.token_logprobs or []
        means.append(sum(logprobs) / len(logprobs))
    (best,) = openai.completions.create(**asked, n=1, best_of=4).choices
    assert best.logprobs is not None
    logprobs = best.logprobs.token_logprobs or []
    assert sum(logprobs) / len(logprobs) == pytest.approx(max(means), rel=0.01)


def test_a_vocabulary_without_a_middle_refuses_a_suffix(openai: OpenAI) -> None:
    with pytest.raises(library.BadRequestError) as caught:
        openai.completions.create(model="guide", prompt=["def f(", "def g("], suffix="return x")
    assert caught.value.param == "suffix"
