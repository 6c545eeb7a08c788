"""The account of one request: what its choices add up to when it ends."""

import msgspec

from appliance.core.caller import LOCAL
from appliance.core.events import Finished, ModelMeasured, RequestEnded, RequestPaused, RequestQueued, Timings
from appliance.core.messages import Stats
from appliance.core.request import RequestId
from appliance.scheduler.records import RequestRecord, measured
from tests.unit.scheduler.builders import finished, request


def record(num_choices: int = 1) -> RequestRecord:
    return RequestRecord(
        request=request("1", num_choices=num_choices, priority="batch"), caller=LOCAL, arrived_s=1000.0
    )


def choice(number: int, *, decode_s: float, completion_tokens: int, accepted: int = 0, rejected: int = 0) -> Finished:
    end = finished("1", number, completion_tokens=completion_tokens)
    usage = msgspec.structs.replace(end.usage, accepted_draft_tokens=accepted, rejected_draft_tokens=rejected)
    timings = Timings(queue_s=1.0, prefill_s=2.0, decode_s=decode_s)
    return msgspec.structs.replace(end, usage=usage, timings=timings)


def ended(*choices: Finished, num_choices: int = 1) -> RequestEnded:
    account = record(num_choices)
    for each in choices:
        account.finish(each)
    return account.ended("stop", 1010.0)


def test_the_queue_is_told_the_class() -> None:
    assert record().queued() == RequestQueued(id=RequestId("1"), model="a", caller="local", priority="batch")


def test_guesses_of_all_choices_are_added() -> None:
    first = choice(0, decode_s=1.0, completion_tokens=9, accepted=4, rejected=2)
    second = choice(1, decode_s=1.0, completion_tokens=9, accepted=1)
    end = ended(first, second, num_choices=2)
    assert (end.accepted_draft_tokens, end.rejected_draft_tokens) == (5, 2)


def test_the_time_is_that_of_the_choice_that_read_the_prompt_whichever_ends_first() -> None:
    first, second = choice(0, decode_s=4.0, completion_tokens=9), choice(1, decode_s=1.0, completion_tokens=3)
    for order in ((first, second), (second, first)):
        end = ended(*order, num_choices=2)
        assert end.timings == first.timings
        assert end.decode_tokens_per_s == 2.0


def test_without_the_end_of_that_choice_no_time_is_made_up() -> None:
    end = ended(choice(1, decode_s=1.0, completion_tokens=3), num_choices=2)
    assert (end.timings, end.decode_tokens_per_s) == (None, None)


def test_one_token_alone_has_no_speed() -> None:
    assert ended(choice(0, decode_s=0.001, completion_tokens=1)).decode_tokens_per_s is None


def test_a_pause_and_its_end_are_told() -> None:
    assert record().paused(True) == RequestPaused(id=RequestId("1"), model="a", is_paused=True)
    assert not record().paused(False).is_paused


def test_what_a_worker_tells_of_itself_is_set_against_its_capacity() -> None:
    stats = Stats(
        num_running=1,
        num_waiting=0,
        kv_used_tokens=512,
        kv_retained_tokens=100,
        num_preemptions=3,
        num_steps=9,
        tokens_per_s=20.0,
        memory_bytes=1,
    )
    assert measured("a", stats, 4096) == ModelMeasured(
        model="a", kv_used_tokens=512, kv_capacity_tokens=4096, num_preemptions=3
    )
