"""What an answer says of its tokens and its time."""

import json

import msgspec

from appliance.core.events import Finished, Timings, Usage
from appliance.core.request import RequestId
from appliance.dialects.answer import Tally
from appliance.dialects.openai.usage import timings_wire, usage_wire

TIMINGS = Timings(queue_s=0.025, prefill_s=0.2, decode_s=0.5)


def usage(accepted: int = 0, rejected: int = 0) -> Usage:
    return Usage(
        prompt_tokens=50,
        cached_tokens=40,
        completion_tokens=10,
        accepted_draft_tokens=accepted,
        rejected_draft_tokens=rejected,
    )


def finished(choice: int, usage: Usage) -> Finished:
    return Finished(
        id=RequestId("r"), choice=choice, reason="stop", usage=usage, timings=TIMINGS, mean_token_probability=None
    )


def test_timings_have_the_names_that_llama_server_gives_them_and_the_time_in_the_queue() -> None:
    assert json.loads(msgspec.json.encode(timings_wire(usage(), TIMINGS))) == {
        "queue_ms": 25.0,
        "cache_n": 40,
        "prompt_n": 10,
        "prompt_ms": 200.0,
        "prompt_per_token_ms": 20.0,
        "prompt_per_second": 50.0,
        "predicted_n": 10,
        "predicted_ms": 500.0,
        "predicted_per_token_ms": 50.0,
        "predicted_per_second": 20.0,
    }


def test_timings_count_guesses_where_there_were_any_even_if_all_were_wrong() -> None:
    wrong = timings_wire(usage(rejected=3), TIMINGS)
    assert (wrong.draft_n, wrong.draft_n_accepted) == (3, 0)
    mixed = timings_wire(usage(accepted=4, rejected=2), TIMINGS)
    assert (mixed.draft_n, mixed.draft_n_accepted) == (6, 4)


def test_guesses_of_all_choices_are_added_and_the_prompt_counts_once() -> None:
    tally = Tally(2)
    tally.add(finished(0, usage(accepted=4, rejected=2)))
    tally.add(finished(1, usage(accepted=1)))
    wire = usage_wire(tally.usage)
    assert (wire.prompt_tokens, wire.completion_tokens) == (50, 20)
    details = wire.completion_tokens_details
    assert (details.accepted_prediction_tokens, details.rejected_prediction_tokens) == (5, 2)
