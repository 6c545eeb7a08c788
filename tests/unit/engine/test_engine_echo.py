"""Prompts that come back with their answer, and what the model thinks of each of their tokens."""

import math
from typing import Any

import numpy as np
import pytest

from appliance.backends.base import Batch, Run
from appliance.backends.echo import EchoModel
from appliance.backends.echo_description import parse_options
from appliance.core.events import Accepted, Delta, PromptEcho
from appliance.core.request import ChatPrompt, GenerateRequest, Message, RequestId
from appliance.core.sampling import StopConditions
from tests.unit.engine.engine_bench import GREEDY, Bench, make_plan, text_prompt

TEXT = "the text of a prompt that is longer than a step, " * 4


def echoing(max_tokens: int = 3, text: str = TEXT, **fields: Any) -> GenerateRequest:
    return text_prompt("a", text, max_tokens, echoes_prompt=True, **fields)


def expected_logprobs(text: str) -> list[float]:
    """Return the log-probability of each byte but the first, from one run over the whole text."""
    model = EchoModel(make_plan("echo:", max_step_tokens=512), parse_options("echo:"))
    tokens = np.frombuffer(text.encode(), np.uint8).astype(np.int32)
    logprobs = []
    for position, token in enumerate(tokens[:-1]):
        (rows,) = model.step(Batch((Run(0, position, np.array([token], np.int32), 1),))).logits
        row = rows[0].astype(np.float64)
        logprobs.append(row[tokens[position + 1]] - math.log(np.exp(row).sum()))
    return logprobs


def test_a_prompt_comes_back_before_its_answer() -> None:
    bench = Bench().start(echoing()).run()
    assert [type(event) for event in bench.events[:3]] == [Accepted, PromptEcho, Delta]
    (echo,) = bench.of(PromptEcho)
    assert (echo.text, echo.logprobs) == (TEXT, ())


def test_every_token_of_the_prompt_has_the_models_own_log_probability() -> None:
    bench = Bench().start(echoing(logprobs=2)).run()
    (echo,) = bench.of(PromptEcho)
    assert echo.logprobs[0] is None
    assert [entry.logprob for entry in echo.logprobs[1:]] == pytest.approx(expected_logprobs(TEXT), abs=1e-4)
    assert "".join(entry.text for entry in echo.logprobs[1:]) == TEXT[1:]
    assert all(len(entry.top) == 2 for entry in echo.logprobs[1:])
    assert bench.finished("a").usage.completion_tokens == 3


def test_a_prompt_that_is_scored_takes_nothing_from_the_cache_and_leaves_nothing() -> None:
    bench = Bench().start(text_prompt("b", TEXT, 1)).run()
    retained = bench.engine.stats(0.0, 0).kv_retained_tokens
    bench.start(echoing(logprobs=0)).run()
    assert bench.finished("a").usage.cached_tokens == 0
    assert len(bench.of(PromptEcho)[0].logprobs) == len(TEXT)
    assert bench.engine.stats(0.0, 0).kv_retained_tokens == retained


def test_a_prompt_can_be_scored_without_an_answer() -> None:
    bench = Bench().start(echoing(max_tokens=0, logprobs=1)).run()
    assert len(bench.of(PromptEcho)[0].logprobs) == len(TEXT)
    assert not bench.of(Delta)
    assert bench.finished("a").reason == "length"
    assert bench.finished("a").usage.completion_tokens == 0


def test_no_tokens_asked_for_are_none() -> None:
    bench = Bench().start(echoing(max_tokens=0)).run()
    assert bench.of(PromptEcho)[0].text == TEXT
    assert not bench.of(Delta)
    assert bench.finished("a").reason == "length"


@pytest.mark.parametrize("path", ["echo:", "echo:?grid=64", "echo:?truncate=false", "echo:?batch=false"])
def test_a_prompt_is_scored_beside_others_that_write(path: str) -> None:
    bench = Bench(path, speculates=False)
    bench.start(*(text_prompt(f"r{index}", f"{index} to go on with", 60) for index in range(4))).step(3)
    bench.start(echoing(logprobs=0)).run()
    (echo,) = bench.of(PromptEcho)
    assert [entry.logprob for entry in echo.logprobs[1:]] == pytest.approx(expected_logprobs(TEXT), abs=1e-4)


def test_a_prompt_is_scored_once_for_all_choices() -> None:
    bench = Bench().start(echoing(logprobs=1, num_choices=3)).run()
    assert len(bench.of(PromptEcho)) == 1
    assert all(bench.finished("a", choice).usage.completion_tokens == 3 for choice in range(3))
    assert bench.finished("a", 1).usage.cached_tokens > 100


def test_a_scored_prompt_that_is_paused_goes_on_where_it_was() -> None:
    bench = Bench().start(echoing(logprobs=0))
    bench.step(2)
    bench.engine.pause("a")
    bench.engine.check_integrity()
    bench.engine.resume("a")
    bench.run()
    (echo,) = bench.of(PromptEcho)
    assert [entry.logprob for entry in echo.logprobs[1:]] == pytest.approx(expected_logprobs(TEXT), abs=1e-4)
    assert bench.engine.num_steps < 8


def test_the_log_probabilities_of_an_answer_add_up() -> None:
    bench = Bench().start(text_prompt("a", "abc", 5, logprobs=0), text_prompt("b", "abc", 5)).run()
    entries = [entry for delta in bench.of(Delta) if delta.id == "a" for entry in delta.logprobs]
    assert bench.finished("a").sum_logprob == pytest.approx(sum(entry.logprob for entry in entries))
    assert bench.finished("b").sum_logprob is None


def test_a_conversation_comes_back_as_its_text() -> None:
    prompt = ChatPrompt(messages=(Message(role="user", content="grüße"),))
    request = GenerateRequest(
        id=RequestId("a"), model="parrot", prompt=prompt, echoes_prompt=True, sampling=GREEDY, stop=StopConditions()
    )
    (echo,) = Bench().start(request).run().of(PromptEcho)
    assert "grüße" in echo.text
