"""Each caller's account of tokens, and what comes of it: shares that stay equal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.request import (
    ChatPrompt,
    EncodeRequest,
    GenerateRequest,
    Media,
    MediaAddress,
    Message,
    Prompt,
    Request,
    RequestId,
    TextPair,
    TextPrompt,
    TokenPrompt,
)
from appliance.core.sampling import StopConditions
from appliance.scheduler.admission import decide
from appliance.scheduler.claims import Claim, Demand, Places
from appliance.scheduler.fairness import DEFAULT_OUTPUT_TOKENS, MAX_DEBTS, Shares, estimate_tokens
from tests.unit.scheduler.builders import claim

PLACES = Places(max_step_sequences=2, max_sequences=12)
MAX_COST_TOKENS = 50
PICTURE = MediaAddress(kind="image", url="https://images.example/a.png", at=0, param="p")
SOUND = Media(kind="audio", data=bytes(480), digest="d", at=0)


def test_a_newcomer_starts_level_with_those_who_have_work() -> None:
    shares = Shares()
    shares.enter("a")
    shares.enter("a")
    shares.leave("a", 1.0, 500)
    shares.enter("b")
    assert shares.used("b") == shares.used("a") == 500


def test_a_newcomer_is_not_set_back_by_what_others_may_still_use() -> None:
    shares = Shares()
    shares.enter("a")
    assert shares.used("b") == shares.used("a") == 0


def test_idling_saves_nothing_and_leaving_does_not_clear_a_debt() -> None:
    shares = Shares()
    for caller in ("idle", "busy", "busy", "other"):
        shares.enter(caller)
    shares.leave("idle", 1.0, 10)
    shares.leave("busy", 1.0, 300)
    shares.leave("other", 1.0, 900)
    shares.enter("idle")
    shares.enter("other")
    assert (shares.used("idle"), shares.used("busy"), shares.used("other")) == (300, 300, 900)


def test_a_callers_tokens_weigh_less_the_heavier_it_is() -> None:
    shares = Shares()
    shares.enter("a")
    shares.enter("a")
    shares.leave("a", 4.0, 100)
    assert shares.used("a") == 25


def test_when_nobody_has_work_all_accounts_are_closed() -> None:
    shares = Shares()
    for caller in ("a", "b"):
        shares.enter(caller)
    shares.leave("a", 1.0, 100)
    shares.leave("b", 1.0, 20)
    assert shares.num_accounts == 0
    assert shares.used("a") == shares.used("b") == shares.used("new") == 100


def test_only_so_many_debts_are_remembered_and_the_largest_of_them() -> None:
    shares = Shares()
    shares.enter("present")
    for number in range(MAX_DEBTS + 10):
        shares.enter(str(number))
        shares.leave(str(number), 1.0, 1 + number)
    shares.enter("new")
    assert shares.num_accounts == MAX_DEBTS + 2
    assert (shares.used("9"), shares.used("10")) == (0, 11)


def asked(prompt: Prompt, max_tokens: int | None = 10, num_choices: int = 1) -> GenerateRequest:
    stop = StopConditions(max_tokens=max_tokens)
    return GenerateRequest(id=RequestId("1"), model="a", prompt=prompt, stop=stop, num_choices=num_choices)


def encoding(*inputs: TextPrompt | TokenPrompt | TextPair) -> EncodeRequest:
    return EncodeRequest(id=RequestId("1"), model="a", task="embed", inputs=inputs)


@pytest.mark.parametrize(
    ("request_", "num_tokens"),
    [
        (asked(TextPrompt(text="four" * 5)), 1 + 5 + 10),
        (asked(TextPrompt(text="ü" * 4), num_choices=3), 1 + 2 + 30),
        (asked(TokenPrompt(tokens=(1, 2, 3)), max_tokens=None), 3 + DEFAULT_OUTPUT_TOKENS),
        (asked(ChatPrompt(messages=(Message(role="user", content="four"),) * 2)), 1 + 2 + 10),
        (asked(ChatPrompt(messages=(Message(role="user", content="four", media=(PICTURE, SOUND)),))), 2 + 512 + 3 + 10),
        (encoding(TextPrompt(text="four"), TextPair(first="four", second="four")), 2 + 3),
    ],
    ids=["text", "choices", "tokens", "chat", "media", "rows"],
)
def test_a_request_is_estimated_by_the_length_of_its_prompt_and_what_it_may_write(
    request_: Request, num_tokens: float
) -> None:
    assert estimate_tokens(request_) == num_tokens


class Worker:
    """Serves two callers that always have more to ask, ending requests in any order, and counts their tokens."""

    def __init__(self, costs: dict[str, list[int]], weights: dict[str, float]) -> None:
        self._shares = Shares()
        self._real = {f"{caller}{n}": cost for caller, all_ in costs.items() for n, cost in enumerate(all_)}
        self._weights = weights
        self.waiting = [
            claim(f"{caller}{n}", caller, weight=weights[caller], cost_tokens=MAX_COST_TOKENS / 2)
            for caller, all_ in costs.items()
            for n in range(len(all_))
        ]
        self.running: list[Claim] = []
        self.paused: list[Claim] = []
        self.served = dict.fromkeys(costs, 0.0)
        for waiting in self.waiting:
            self._shares.enter(waiting.caller)
        self._admit()

    def end(self, number: int) -> None:
        ended = self.running.pop(number % len(self.running))
        self.served[ended.caller] += self._real[ended.id] / ended.weight
        self._shares.leave(ended.caller, ended.weight, self._real[ended.id])
        self._admit()

    def _admit(self) -> None:
        demand = Demand(waiting=self.waiting, paused=self.paused, running=self.running)
        decision = decide(demand, self._shares, PLACES, 0.0)
        ids = {*decision.resumes, *(admitted.id for admitted in decision.starts)}
        everybody = [*self.running, *self.paused, *self.waiting]
        kept = [c for c in self.running if c.id not in decision.pauses]
        self.paused = [c for c in everybody if c.id in decision.pauses or (c in self.paused and c.id not in ids)]
        self.running = [*kept, *(c for c in everybody if c.id in ids)]
        self.waiting = [c for c in self.waiting if c.id not in ids]

    def is_backlogged(self) -> bool:
        return {c.caller for c in self.waiting} == set(self.served)


@given(
    st.tuples(*[st.lists(st.integers(1, MAX_COST_TOKENS), min_size=40, max_size=60)] * 2),
    st.lists(st.integers(0, 9), min_size=120, max_size=120),
    st.sampled_from([1.0, 3.0]),
)
def test_what_two_callers_with_a_backlog_are_served_stays_within_what_runs_at_a_time(
    costs: tuple[list[int], list[int]], order_of_ends: list[int], weight: float
) -> None:
    worker = Worker({"a": costs[0], "b": costs[1]}, {"a": 1.0, "b": weight})
    bound = (PLACES.max_handed_over + 1) * MAX_COST_TOKENS
    for number in order_of_ends:
        if not worker.is_backlogged():
            break
        worker.end(number)
        assert abs(worker.served["a"] - worker.served["b"]) <= bound
