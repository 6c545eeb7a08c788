"""Answers that obey a grammar: whatever the model would say, what comes out is what was asked for."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.core.events import Delta, Failed, Finished
from appliance.core.request import Constraint, GenerateRequest, Grammar, JsonSchema, Regex
from appliance.core.sampling import SamplingParams, StopConditions
from tests.unit.engine.engine_bench import GREEDY, Bench, chat, text_prompt

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
WARM = SamplingParams(temperature=1.0, seed=7)


def schema(value: dict[str, Any] | bool) -> JsonSchema:
    return JsonSchema(schema=value, param="response_format")


def asking(constraint: Constraint, request_id: str = "a", **fields: Any) -> GenerateRequest:
    fields.setdefault("sampling", WARM)
    return chat(request_id, "tell me", constraint=constraint, **fields)


def answer(constraint: Constraint, bench: Bench | None = None, **fields: Any) -> str:
    bench = (bench or Bench(context_tokens=4096)).start(asking(constraint, **fields)).run()
    return bench.text("a")


def test_an_answer_is_what_the_schema_asks_for() -> None:
    person = json.loads(answer(schema(PERSON)))
    jsonschema.validate(person, PERSON)


def test_what_is_forced_is_not_computed_one_by_one() -> None:
    bench = Bench(context_tokens=4096)
    text = answer(schema({"const": {"a long name": "and a long value that never changes"}}), bench)
    assert json.loads(text) == {"a long name": "and a long value that never changes"}
    assert bench.engine.num_steps < len(text) / 5
    assert bench.finished("a").usage.completion_tokens == len(text)


def test_forced_tokens_do_not_stop_another_stream() -> None:
    bench = Bench(context_tokens=4096, speculates=False)
    bench.start(chat("b", "x" * 100)).step(3)
    bench.start(asking(schema({"const": "y" * 200})))
    for _ in range(8):
        before = len([e for e in bench.of(Delta) if e.id == "b"])
        bench.step()
        assert len([e for e in bench.of(Delta) if e.id == "b"]) > before
    assert bench.run().text("b") == "x" * 100


def test_the_answer_ends_when_the_grammar_does() -> None:
    bench = Bench().start(asking(Regex(pattern="[ab]{3}", param="pattern"))).run()
    assert len(bench.text("a")) == 3
    assert bench.finished("a").reason == "stop"
    assert bench.finished("a").usage.completion_tokens == 3


def test_the_answer_may_end_only_where_the_grammar_allows_it() -> None:
    end = {258: 100.0, 256: 100.0}
    bench = Bench().start(asking(schema(PERSON), sampling=SamplingParams(seed=1, logit_bias=end))).run()
    jsonschema.validate(json.loads(bench.text("a")), PERSON)


def test_an_end_that_is_ignored_comes_where_nothing_else_can() -> None:
    stop = StopConditions(ignore_eos=True, max_tokens=50)
    bench = Bench().start(asking(schema(PERSON), stop=stop)).run()
    jsonschema.validate(json.loads(bench.text("a")), PERSON)
    bench = Bench().start(asking(Regex(pattern="(ab)?", param="pattern"), stop=stop)).run()
    assert bench.text("a") == "ab"
    bench = Bench().start(asking(Regex(pattern="[ab]+", param="pattern"), stop=stop)).run()
    assert len(bench.text("a")) == 50
    assert bench.finished("a").reason == "length"


def test_max_tokens_cut_an_answer_as_any_other() -> None:
    bench = Bench().start(asking(schema(PERSON), stop=StopConditions(max_tokens=5))).run()
    assert bench.text("a") == '{"nam'
    assert bench.finished("a").reason == "length"
    assert bench.finished("a").usage.completion_tokens == 5


def test_an_answer_that_just_fits_is_complete() -> None:
    bench = Bench().start(asking(schema({"const": True}), stop=StopConditions(max_tokens=4))).run()
    assert (bench.text("a"), bench.finished("a").reason) == ("true", "stop")


def test_stop_strings_end_a_forced_text() -> None:
    bench = Bench().start(asking(schema({"const": "one two three"}), stop=StopConditions(strings=("tw",)))).run()
    assert bench.text("a") == '"one '
    assert bench.finished("a").reason == "stop"


def test_choices_follow_the_grammar_each_for_itself() -> None:
    bench = Bench(context_tokens=4096).start(asking(schema(PERSON), num_choices=4)).run()
    people = [json.loads(bench.text("a", choice)) for choice in range(4)]
    for person in people:
        jsonschema.validate(person, PERSON)
    assert len({json.dumps(person) for person in people}) > 1


def test_the_likeliest_answer_is_the_likeliest_that_is_allowed() -> None:
    request = chat("a", "no", constraint=Regex(pattern="[a-z]{2}", param="pattern"), sampling=GREEDY)
    assert Bench().start(request).run().text("a") == "no"


def test_log_probabilities_are_those_of_the_model_and_not_of_the_grammar() -> None:
    bench = Bench().start(asking(schema({"const": "abc"}), logprobs=2)).run()
    entries = [entry for delta in bench.of(Delta) for entry in delta.logprobs]
    assert b"".join(entry.token_bytes for entry in entries) == b'"abc"'
    assert all(entry.logprob < -5 for entry in entries)
    assert bench.finished("a").sum_logprob == pytest.approx(sum(entry.logprob for entry in entries))


def test_an_answer_that_is_interrupted_goes_on_in_its_grammar() -> None:
    bench = Bench(context_tokens=4096, speculates=False)
    alone = answer(schema(PERSON))
    bench.start(asking(schema(PERSON)))
    while bench.engine.has_work:
        bench.step(2)
        if not bench.of(Finished):
            bench.engine.pause("a")
            bench.engine.check_integrity()
            bench.engine.resume("a")
    assert bench.text("a") == alone


def test_answers_stay_valid_where_the_cache_is_too_small_for_all() -> None:
    bench = Bench(context_tokens=256, kv_capacity_tokens=256)
    bench.start(*(asking(schema(PERSON), f"r{index}", sampling=SamplingParams(seed=index)) for index in range(8))).run()
    for index in range(8):
        jsonschema.validate(json.loads(bench.text(f"r{index}")), PERSON)
    assert bench.engine.num_preemptions


def test_guesses_are_verified_within_the_grammar() -> None:
    row = {"type": "object", "properties": {"word": {"enum": ["banana", "ananas"]}}, "required": ["word"]}
    rows = {"type": "array", "items": row | {"additionalProperties": False}, "minItems": 20, "maxItems": 20}
    bench = Bench(context_tokens=4096)
    bench.start(asking(schema(rows)))
    bench.run()
    jsonschema.validate(json.loads(bench.text("a")), rows)


def test_a_copying_model_drafts_within_its_grammar() -> None:
    text = "abcdefgh" * 12
    request = chat("a", text, constraint=Regex(pattern="([a-h]{8})+", param="pattern"))
    bench = Bench(context_tokens=1024).start(request).run()
    assert bench.text("a") == text
    assert bench.finished("a").usage.accepted_draft_tokens > 20


def test_a_first_guess_that_the_grammar_forces_anyway_changes_nothing() -> None:
    prompt = 'abc"xyz"' * 8 + "abc"
    bench = Bench().start(text_prompt("b", prompt, 1)).run()
    bench.start(text_prompt("a", prompt, 20, constraint=schema({"const": "xyz"}))).run()
    assert (bench.text("a"), bench.finished("a").reason) == ('"xyz"', "stop")


def test_a_penalty_and_a_grammar_go_together() -> None:
    sampling = SamplingParams(seed=3, repeat_penalty=1.5, presence_penalty=1.0, frequency_penalty=1.0, top_p=0.5)
    for params in (sampling, SamplingParams(top_k=5, seed=1), SamplingParams(min_p=0.5), SamplingParams(typical_p=0.3)):
        jsonschema.validate(json.loads(answer(schema(PERSON), sampling=params)), PERSON)


@pytest.mark.parametrize(
    ("constraint", "is_sentence"),
    [
        (Grammar(text='start: "yes" | "no"', syntax="lark", param="grammar"), lambda text: text in ("yes", "no")),
        (Grammar(text='root ::= ("a" | "b"){4}', syntax="gbnf", param="grammar"), lambda text: len(text) == 4),
        (Regex(pattern=r"\d{3}-\d{2}", param="pattern"), lambda text: len(text) == 6 and text[3] == "-"),
    ],
)
def test_grammars_of_every_kind_are_obeyed(constraint: Constraint, is_sentence: Callable[[str], bool]) -> None:
    assert is_sentence(answer(constraint))


def test_a_grammar_that_becomes_too_complex_fails_its_request_alone() -> None:
    text = 'start: x+\nx: a | b | c\na: "x" x\nb: "x" x x\nc: "x" | "x" c'
    hard = Grammar(text=text, syntax="lark", param="grammar")
    never = SamplingParams(logit_bias={256: -100.0, 258: -100.0})
    bench = Bench(context_tokens=1024).start(asking(hard, sampling=never), chat("b", "fine")).run()
    (failed,) = bench.of(Failed)
    assert (failed.id, failed.error.kind, failed.error.param) == ("a", "InvalidRequest", "grammar")
    assert "too complex" in failed.error.message
    assert bench.text("b") == "fine"


SCALARS = st.one_of(
    st.just({"type": "null"}),
    st.just({"type": "boolean"}),
    st.builds(
        lambda low, span: {"type": "integer", "minimum": low, "maximum": low + span},
        st.integers(-99, 99),
        st.integers(0, 99),
    ),
    st.just({"type": "number", "minimum": 0, "maximum": 9}),
    st.builds(lambda length: {"type": "string", "maxLength": length}, st.integers(0, 6)),
    st.sampled_from(["^[a-c]{2,4}$", "^x?y$", r"^\d{4}-\d{2}$"]).map(lambda each: {"type": "string", "pattern": each}),
    st.sampled_from(["date", "uuid", "ipv4", "time"]).map(lambda each: {"type": "string", "format": each}),
    st.lists(
        st.one_of(st.integers(-(2**53), 2**53), st.text(max_size=4), st.booleans(), st.none()), min_size=1, max_size=4
    ).map(lambda values: {"enum": values}),
)
NAMES = st.text('abcü "\\/', min_size=1, max_size=4)


def containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    def record(properties: dict[str, Any], num_required: int) -> dict[str, Any]:
        required = list(properties)[:num_required]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    return st.one_of(
        st.builds(record, st.dictionaries(NAMES, inner, max_size=3), st.integers(0, 3)),
        st.builds(lambda items, most: {"type": "array", "items": items, "maxItems": most}, inner, st.integers(0, 3)),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"anyOf": each}),
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(SCALARS, containers, max_leaves=6), st.integers(0, 2**32))
def test_nothing_that_is_ignored_or_told_ends_an_answer_in_an_error(value: dict[str, Any], seed: int) -> None:
    bench = Bench(context_tokens=512)
    bench.start(asking(schema(value), "a", sampling=SamplingParams(seed=seed), stop=StopConditions(ignore_eos=True)))
    bench.start(asking(schema(value), "b", sampling=SamplingParams(seed=seed), logprobs=1, stop=StopConditions()))
    bench.run()
    assert not bench.of(Failed)
    assert len(bench.of(Finished)) == 2


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(SCALARS, containers, max_leaves=6), st.integers(0, 2**32))
def test_every_answer_to_every_schema_is_valid(value: dict[str, Any], seed: int) -> None:
    text = answer(schema(value), sampling=SamplingParams(temperature=1.0, seed=seed))
    jsonschema.validate(json.loads(text), value)
