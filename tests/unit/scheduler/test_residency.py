"""What is loaded and what leaves, so that the target fits. Machine of 100 bytes, 20 of them kept free."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.events import ModelState
from appliance.scheduler.residency import (
    Decision,
    Evict,
    Fits,
    Memory,
    Refuse,
    Resident,
    Wait,
    can_expire,
    decide,
    expired,
    room_bytes,
)


def resident(
    name: str, num_bytes: int, state: ModelState = "ready", *, pinned: bool = False, busy: bool = False, used: float = 0
) -> Resident:
    return Resident(name=name, state=state, num_bytes=num_bytes, is_pinned=pinned, is_busy=busy, last_used_s=used)


def decide_on(needed: int, *residents: Resident, available: int | None = None) -> Decision:
    if available is None:
        available = 100 - sum(r.num_bytes for r in residents if r.state != "loading")
    memory = Memory(total_bytes=100, available_bytes=available, reserve_ratio=0.2)
    return decide("target", needed, memory, residents)


def test_a_model_fits_up_to_the_reserve() -> None:
    assert decide_on(80) == Fits()
    assert isinstance(decide_on(81), Refuse)


def test_other_programs_count() -> None:
    assert decide_on(30, available=50) == Fits()
    assert isinstance(decide_on(31, available=50), Refuse)


def test_a_mapped_file_counts_though_the_system_calls_its_pages_available() -> None:
    assert decide_on(50, resident("a", 40), available=100) == Evict(("a",))


def test_the_least_recently_used_idle_model_leaves_first() -> None:
    assert decide_on(30, resident("new", 30, used=9), resident("old", 30, used=1)) == Evict(("old",))


def test_no_more_models_leave_than_needed() -> None:
    small, large = resident("small", 10, used=1), resident("large", 50, used=2)
    assert decide_on(60, small, large) == Evict(("large",))
    assert decide_on(75, small, large) == Evict(("small", "large"))


def test_a_model_in_use_is_waited_for_and_never_evicted() -> None:
    assert decide_on(50, resident("a", 60, busy=True)) == Wait("memory is in use by 'a'")


def test_an_idle_model_stays_while_it_would_not_help_enough() -> None:
    decision = decide_on(70, resident("idle", 20), resident("busy", 40, busy=True))
    assert decision == Wait("memory is in use by 'busy'")


def test_a_pinned_model_stays_and_the_refusal_says_so() -> None:
    decision = decide_on(50, resident("a", 60, pinned=True))
    assert isinstance(decision, Refuse)
    assert "unpin and unload 'a'" in decision.error.message


def test_memory_that_is_being_freed_is_waited_for() -> None:
    assert decide_on(50, resident("a", 60, "stopping"), resident("b", 10)) == Wait("memory is being freed")


def test_a_loading_model_has_its_memory_though_it_does_not_show_yet() -> None:
    assert decide_on(50, resident("a", 50, "loading"), available=100) == Wait("memory is in use by 'a'")


def test_what_a_loading_model_will_take_is_not_available_beside_other_programs() -> None:
    assert decide_on(15, resident("a", 30, "loading"), available=60) == Wait("memory is in use by 'a'")
    assert decide_on(10, resident("a", 30, "loading"), available=60) == Fits()


def test_a_refusal_has_both_numbers_and_a_way_out() -> None:
    decision = decide_on(200, resident("a", 30))
    assert isinstance(decision, Refuse)
    assert decision.error.status == 503
    assert decision.error.message == (
        "model 'target' needs 200 B, 80 B can be freed for it (20% of 100 B is kept free); "
        "choose a smaller quantization or model, or a smaller engine.kv_capacity_tokens"
    )


residents = st.lists(
    st.builds(
        Resident,
        name=st.integers(0, 10**9).map(str),
        state=st.sampled_from(["loading", "ready", "stopping"]),
        num_bytes=st.integers(1, 40),
        is_pinned=st.booleans(),
        is_busy=st.booleans(),
        last_used_s=st.floats(0, 100),
    ),
    max_size=6,
    unique_by=lambda r: r.name,
)


@given(residents, st.integers(1, 120), st.integers(0, 100))
def test_evicting_frees_enough_with_nothing_to_spare_and_touches_only_idle_models(
    present: list[Resident], needed: int, available: int
) -> None:
    memory = Memory(total_bytes=100, available_bytes=available, reserve_ratio=0.2)
    decision = decide("target", needed, memory, present)
    freed_by = {r.name: r.num_bytes for r in present if can_expire(r)}
    leaving = sum(r.num_bytes for r in present if r.state == "stopping")
    missing = needed - room_bytes(memory, present)
    assert isinstance(decision, Fits) == (missing <= 0)
    if isinstance(decision, Evict):
        assert set(decision.names) <= set(freed_by)
        freed = sum(freed_by[name] for name in decision.names)
        assert freed + leaving >= missing
        assert all(freed - freed_by[name] + leaving < missing for name in decision.names)
    if isinstance(decision, Refuse):
        assert sum(freed_by.values()) + leaving < missing


@pytest.mark.parametrize(
    ("model", "leaves"),
    [
        (resident("a", 1, used=40), True),
        (resident("a", 1, used=41), False),
        (resident("a", 1, used=0, busy=True), False),
        (resident("a", 1, used=0, pinned=True), False),
        (resident("a", 1, "loading", used=0), False),
    ],
    ids=["unused for long enough", "used lately", "in use", "pinned", "loading"],
)
def test_a_model_expires_when_nobody_used_it_for_the_keep_alive_time(model: Resident, leaves: bool) -> None:
    assert expired([model], keep_alive_s=60.0, now_s=100.0) == (("a",) if leaves else ())
