"""How long a request will wait. Places of two and two spare; a mean request takes eight seconds."""

import pytest

from appliance.scheduler.claims import Places
from appliance.scheduler.queue_place import estimate_wait_s
from tests.unit.scheduler.bench import Bench
from tests.unit.scheduler.builders import finished, request

PLACES = Places(max_step_sequences=2, max_sequences=12)


@pytest.mark.parametrize(
    ("sizes", "running", "wait_s"),
    [
        ([1], [(1, 0.0)] * 3, 0.0),
        ([1], [(1, 0.0), (1, 1.0), (1, 2.0), (1, 3.0)], 5.0),
        ([1, 1], [(1, 0.0), (1, 1.0), (1, 2.0), (1, 3.0)], 6.0),
        ([1] * 5, [(1, 0.0), (1, 1.0), (1, 2.0), (1, 3.0)], 13.0),
        ([1], [(4, 100.0)], 2.0),
        ([2], [(2, 0.0), (1, 5.0)], 3.0),
        ([4, 1], [(3, 0.0)], 16.0),
        ([9, 1], [(1, 0.0)], 16.0),
        ([1], [(9, 4.0)], 4.0),
    ],
    ids=[
        "a place is free",
        "the one that runs longest ends first",
        "those ahead take the first places",
        "a turn of everybody, and one more",
        "what runs for long may go on",
        "it waits for as many places as it needs",
        "nobody overtakes",
        "what is larger than all places needs them all",
        "one that runs alone on more than all places",
    ],
)
def test_the_estimate_is_when_ones_turn_comes_if_all_take_a_mean_time(
    sizes: list[int], running: list[tuple[int, float]], wait_s: float
) -> None:
    assert estimate_wait_s(sizes, running, PLACES, 8.0) == wait_s


def test_the_first_load_of_a_model_takes_nobody_knows_how_long() -> None:
    bench = Bench()
    bench.ask("1", "2")
    places = [bench.scheduler.queue_place(request(id_).id, bench.now_s) for id_ in ("1", "2")]
    assert [(place.position, place.estimated_wait_s) for place in places if place] == [(1, None), (2, None)]


def test_a_later_load_is_expected_to_take_as_long_as_the_last() -> None:
    bench = Bench()
    bench.ask("1")
    bench.now_s += 20
    bench.loaded()
    bench.events(finished("1"))
    bench.scheduler.on_unload("a", bench.now_s)
    bench.exit()
    bench.ask("2")
    bench.now_s += 15
    place = bench.scheduler.queue_place(request("2").id, bench.now_s)
    assert place is not None
    assert place.estimated_wait_s == 5


def test_time_in_the_queue_is_no_part_of_what_a_request_takes() -> None:
    bench = Bench()
    bench.ask("1")
    bench.now_s += 1000
    bench.loaded()
    bench.now_s += 1
    bench.events(finished("1"))
    bench.ask(*(str(number) for number in range(2, 9)))
    place = bench.scheduler.queue_place(request("8").id, bench.now_s)
    assert place is not None
    assert (place.position, place.estimated_wait_s) == (1, 1.0)


def test_a_request_that_runs_or_is_over_has_no_place() -> None:
    bench = Bench()
    bench.ask("1")
    bench.loaded()
    assert bench.position("1") is None
    bench.events(finished("1"))
    assert bench.position("1") is None
