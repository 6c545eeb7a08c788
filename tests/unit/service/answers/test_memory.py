"""The answers in memory, against a naive twin."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.service.answers.kept import VERSION, KeptAnswer
from appliance.service.answers.memory import RecentAnswers

ANSWER = KeptAnswer(version=VERSION, stored_s=0.0, duration_s=1.0, completion_tokens=1, events=())
NAMES = st.sampled_from("abcdef")
STEPS = st.one_of(
    st.tuples(st.just("put"), NAMES, st.integers(0, 60)),
    st.tuples(st.just("get"), NAMES, st.just(0)),
    st.tuples(st.just("drop"), NAMES, st.just(0)),
)


@given(st.lists(STEPS, max_size=40))
def test_it_knows_the_answers_that_were_used_last_and_fit(steps: list[tuple[str, str, int]]) -> None:
    recent, twin = RecentAnswers(800), dict[str, int]()
    for verb, name, written in steps:
        if verb == "put":
            recent.put(name, ANSWER, 10.0, written)
            twin.pop(name, None)
            if written * 4 <= 100:
                twin[name] = written * 4
            while sum(twin.values()) > 800:
                del twin[next(iter(twin))]
        elif verb == "get":
            assert (recent.get(name, 5.0) is not None) == (name in twin)
            if name in twin:
                twin[name] = twin.pop(name)
        else:
            recent.drop(name)
            twin.pop(name, None)
        recent.check_integrity()
        assert len(recent) == len(twin) and recent.size_bytes == sum(twin.values())


def test_an_answer_past_its_time_is_forgotten() -> None:
    recent = RecentAnswers(800)
    recent.put("a", ANSWER, 10.0, 5)
    assert recent.get("a", 9.9) is not None
    assert recent.get("a", 10.0) is None
    assert len(recent) == 0 and recent.size_bytes == 0
