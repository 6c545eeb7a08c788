"""The engine over the echo backend: whoever else is there, each request gets the answer it gets alone."""

from collections import defaultdict
from collections.abc import Callable, Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.core.events import Accepted, Delta, Failed, Finished, RequestEvent
from appliance.core.request import GenerateRequest, RequestId, TokenPrompt
from appliance.core.sampling import SamplingParams, StopConditions
from tests.unit.engine.engine_bench import GREEDY, Bench, chat, text_prompt


def test_a_chat_is_answered_until_the_end_of_the_turn() -> None:
    bench = Bench().start(chat("a", "hello there")).run()
    assert bench.text("a") == "hello there"
    assert bench.finished("a").reason == "stop"
    assert bench.finished("a").usage.completion_tokens == len("hello there") + 1


def test_an_answer_ends_at_max_tokens() -> None:
    bench = Bench().start(text_prompt("a", "abc", 5)).run()
    assert bench.text("a") == "abcab"
    assert bench.finished("a").reason == "length"


def test_an_answer_ends_where_the_context_does() -> None:
    bench = Bench(context_tokens=32).start(text_prompt("a", "abcabcabc", 500)).run()
    assert bench.finished("a").usage.completion_tokens == 32 - 9
    assert bench.finished("a").reason == "length"


def test_a_stop_string_across_tokens_is_not_part_of_the_answer() -> None:
    bench = Bench().start(text_prompt("a", "one two three ", 50, stop=("o th",))).run()
    assert bench.text("a") == "one tw"
    assert bench.finished("a").reason == "stop"


def test_ignoring_the_end_goes_on_to_max_tokens() -> None:
    stop = StopConditions(max_tokens=20, ignore_eos=True)
    bench = Bench().start(chat("a", "short", stop=stop)).run()
    assert bench.finished("a").usage.completion_tokens == 20


def test_characters_of_several_tokens_arrive_whole() -> None:
    bench = Bench().start(chat("a", "größer 你好 🙂")).run()
    assert bench.text("a") == "größer 你好 🙂"
    assert all("�" not in delta.text for delta in bench.of(Delta))


def test_the_second_turn_of_a_conversation_computes_only_what_is_new() -> None:
    bench = Bench().start(text_prompt("a", "x" * 100 + "yz", 8)).run()
    first = bench.text("a")
    bench.start(text_prompt("b", "x" * 100 + "yz" + first + " and more", 8)).run()
    assert bench.finished("b").usage.cached_tokens == 102 + 8 - 1


def test_callers_who_arrive_together_pay_for_a_shared_prompt_once() -> None:
    system = "s" * 300
    bench = Bench(kv_capacity_tokens=8192).start(*(text_prompt(f"r{i}", system + chr(65 + i), 4) for i in range(6)))
    bench.run()
    cached = [bench.finished(f"r{i}").usage.cached_tokens for i in range(6)]
    assert cached == [0, 300, 300, 300, 300, 300]


def test_n_choices_read_the_prompt_once_and_differ() -> None:
    request = chat("a", "p" * 200, num_choices=4, sampling=SamplingParams(temperature=5.0, seed=3))
    bench = Bench().start(request).run()
    assert [bench.finished("a", i).usage.cached_tokens > 0 for i in range(4)] == [False, True, True, True]
    assert len({bench.text("a", i) for i in range(4)}) == 4
    assert len(bench.of(Accepted)) == 1


def test_a_request_that_wants_no_cache_neither_takes_nor_leaves_anything() -> None:
    bench = Bench().start(text_prompt("a", "z" * 100, 4, cache_prompt=False)).run()
    assert bench.model.free_tokens() == bench.model.traits.kv_capacity_tokens
    bench.start(text_prompt("b", "z" * 100, 4)).run()
    bench.start(text_prompt("c", "z" * 100, 4, cache_prompt=False)).run()
    assert bench.finished("b").usage.cached_tokens == 0
    assert bench.finished("c").usage.cached_tokens == 0


def test_a_cancelled_request_frees_its_place_at_once() -> None:
    bench = Bench(max_step_sequences=1).start(chat("a", "a" * 50), chat("b", "bb"))
    bench.step(5)
    bench.engine.cancel(RequestId("a"))
    bench.run()
    assert bench.text("b") == "bb"
    assert not [e for e in bench.of(Finished) if e.id == "a"]


def test_more_choices_than_the_model_runs_are_refused_with_both_numbers() -> None:
    bench = Bench(max_sequences=4).start(chat("a", "x", num_choices=5))
    (failed,) = bench.of(Failed)
    assert "n is 5" in failed.error.message and "at most 4" in failed.error.message
    assert not bench.engine.has_work


def test_what_nobody_uses_leaves_the_cells_while_others_run_and_comes_back_when_it_is_asked_for() -> None:
    bench = Bench("echo:?retain=slows_steps", context_tokens=2048, kv_capacity_tokens=8192)
    bench.start(text_prompt("a", "a" * 900, 4)).run()
    assert bench.engine.stats(0.0, 0).kv_retained_tokens == 903
    bench.start(text_prompt("b", "b" * 50, 30))
    bench.step(2)
    assert bench.engine.stats(0.0, 0).kv_retained_tokens == 0
    bench.start(text_prompt("c", "a" * 904 + "c", 4)).run()
    assert bench.finished("c").usage.cached_tokens == 903
    assert bench.text("c") == Bench(context_tokens=2048).start(text_prompt("c", "a" * 904 + "c", 4)).run().text("c")


def test_a_part_of_what_left_the_cells_serves_another_prompt() -> None:
    bench = Bench("echo:?retain=slows_steps", context_tokens=2048, kv_capacity_tokens=8192)
    bench.start(text_prompt("a", "s" * 700 + "first", 4)).run()
    bench.start(text_prompt("b", "b" * 50, 4)).run()
    for name in "cd":
        bench.start(text_prompt(name, "s" * 700 + name, 4)).run()
        assert bench.finished(name).usage.cached_tokens == 700


def test_where_nothing_is_retained_a_prefix_is_kept_in_main_memory_and_comes_back_on_the_grid() -> None:
    bench = Bench("echo:?retain=no&copy=memory&grid=64", context_tokens=2048, kv_capacity_tokens=8192)
    bench.start(text_prompt("a", "a" * 700, 4)).run()
    assert bench.model.free_tokens() == 8192
    bench.start(text_prompt("b", "a" * 700 + "and more", 4)).run()
    assert bench.finished("b").usage.cached_tokens == 640


def test_a_copy_that_takes_memory_waits_for_room() -> None:
    bench = Bench("echo:?retain=no&copy=memory", context_tokens=512, kv_capacity_tokens=512)
    bench.start(text_prompt("a", "s" * 300 + "a", 8))
    bench.step(8)
    bench.start(text_prompt("b", "s" * 300 + "b", 8))
    bench.step(1)
    assert [event.id for event in bench.of(Accepted)] == ["a"]  # 300 tokens more do not fit beside the first
    bench.run()
    assert bench.engine.num_preemptions == 0
    assert bench.finished("b").reason == "length"


def test_logprobs_are_those_of_the_row_before_penalties() -> None:
    biased = SamplingParams(temperature=0.0, logit_bias={ord("!"): 100.0})
    bench = Bench().start(text_prompt("a", "abc", 2, sampling=biased, logprobs=2)).run()
    deltas = bench.of(Delta)
    assert [delta.logprobs[0].text for delta in deltas] == ["!", "!"]
    assert all(delta.logprobs[0].logprob < delta.logprobs[0].top[0].logprob for delta in deltas)


def test_a_seed_repeats_an_answer() -> None:
    sampling = SamplingParams(temperature=3.0, seed=11)
    bench = Bench().start(text_prompt("a", "abc", 30, sampling=sampling)).run()
    bench.start(text_prompt("b", "abc", 30, sampling=sampling)).run()
    assert bench.text("a") == bench.text("b")


def test_the_first_prompt_token_ids_are_used_as_they_are() -> None:
    request = GenerateRequest(
        id=RequestId("a"),
        model="parrot",
        prompt=TokenPrompt(tokens=tuple(b"ab")),
        sampling=GREEDY,
        stop=StopConditions(max_tokens=3),
    )
    assert Bench().start(request).run().text("a") == "aba"


PATHS = [
    "echo:",
    "echo:?truncate=0",
    "echo:?retain=slows_steps",
    "echo:?retain=slows_steps&truncate=0",
    "echo:?retain=no",
    "echo:?retain=no&copy=memory&grid=8&batch=0",
]
requests_strategy = st.lists(
    st.tuples(
        st.sampled_from(["shared prefix of some length, then ", "another beginning "]),
        st.text("abc", min_size=1, max_size=30),
        st.integers(1, 40),
        st.sampled_from([0.0, 2.0]),
        st.integers(0, 12),
        st.booleans(),
    ),
    min_size=1,
    max_size=10,
)


def alone(request: GenerateRequest, limits: dict[str, int]) -> Bench:
    return Bench(**limits).start(request).run()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(requests_strategy, st.sampled_from([192, 256, 4096]), st.sampled_from([2, 8]), st.sampled_from(PATHS))
def test_whoever_else_is_there_each_request_gets_the_answer_it_gets_alone(
    parts: list[tuple[str, str, int, float, int, bool]], capacity: int, width: int, path: str
) -> None:
    limits = {"context_tokens": 128, "kv_capacity_tokens": capacity, "max_step_sequences": width}
    bench = Bench(path, **limits)
    cancelled = set()
    made = []
    for number, (prefix, text, max_tokens, temperature, wait, is_cancelled) in enumerate(parts):
        sampling = SamplingParams(temperature=temperature, seed=number)
        request = text_prompt(f"r{number}", prefix + text, max_tokens, sampling=sampling)
        made.append(request)
        bench.start(request)
        bench.step(wait)
        if is_cancelled and number % 3 == 0:
            bench.engine.cancel(request.id)
            cancelled.add(request.id)
    bench.run()
    for request in made:
        if request.id not in cancelled:
            twin = alone(request, limits)
            assert bench.text(request.id) == twin.text(request.id)
            assert bench.finished(request.id).reason == twin.finished(request.id).reason


@pytest.mark.parametrize("count", [1, 5])
def test_nothing_stays_in_the_cache_beyond_what_is_retained(count: int) -> None:
    bench = Bench().start(*(chat(f"r{i}", f"text {i}") for i in range(count))).run()
    used = bench.model.traits.kv_capacity_tokens - bench.model.free_tokens()
    assert 0 < used <= bench.engine.stats(0.0, 0).kv_retained_tokens


def collect(events: Iterable[RequestEvent], key: Callable[[RequestEvent], str]) -> dict[str, list[RequestEvent]]:
    grouped: dict[str, list[RequestEvent]] = defaultdict(list)
    for event in events:
        grouped[key(event)].append(event)
    return grouped


def test_every_request_is_accepted_then_answered_then_ended() -> None:
    bench = Bench().start(*(chat(f"r{i}", "some words") for i in range(5))).run()
    for events in collect(bench.events, lambda event: event.id).values():
        kinds = [type(event) for event in events]
        assert kinds[0] is Accepted and kinds[-1] is Finished
        assert set(kinds[1:-1]) == {Delta}


def test_a_limit_lets_fewer_begin_and_sends_nobody_back() -> None:
    bench = Bench(max_step_sequences=4).start(*(text_prompt(f"r{i}", f"{i}abc", 40) for i in range(4)))
    bench.step()
    bench.engine.limit(0.5)
    bench.start(*(text_prompt(f"r{i}", f"{i}abc", 40) for i in range(4, 8)))
    bench.step(3)
    assert {event.id for event in bench.of(Accepted)} == {"r0", "r1", "r2", "r3"}
    assert bench.engine.num_preemptions == 0
    bench.run()
    assert all(bench.finished(f"r{i}").usage.completion_tokens == 40 for i in range(8))
