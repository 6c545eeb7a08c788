"""What holds a download back: the limit of speed, the hours of the day, and the waits between attempts."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fetch.pace import BURST_S, Pace
from models.fetch.patience import wait_after
from models.fetch.rate import Rate
from models.fetch.remote import Interrupted
from models.fetch.tuning import Tuning
from models.fetch.window import Window
from models.sources.base import SourceUnavailable


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@given(st.lists(st.tuples(st.integers(1, 5000), st.floats(0, 3)), min_size=1, max_size=50))
def test_however_bytes_come_the_limit_holds(steps: list[tuple[int, float]]) -> None:
    clock = Clock()
    pace = Pace(1000, now=clock)
    began_s, num_bytes = clock.now_s, 0
    for count, idle_s in steps:
        wait_s = pace.take(count)
        num_bytes += count
        clock.now_s += wait_s
        assert num_bytes <= 1000 * (clock.now_s - began_s + BURST_S) + 0.001
        clock.now_s += idle_s


def test_downloads_of_several_processes_share_one_limit(tmp_path: Path) -> None:
    clock = Clock()
    first, second = (Pace(1000, tmp_path / "pace", clock) for _ in range(2))
    first.take(250)
    assert second.take(1000) == pytest.approx(1.0)
    assert first.take(500) == pytest.approx(1.5)


def test_a_limit_is_not_held_up_by_what_the_clock_said_before_the_machine_started_anew(tmp_path: Path) -> None:
    clock = Clock()
    Pace(1000, tmp_path / "pace", clock).take(1000)
    clock.now_s = -100_000.0
    assert Pace(1000, tmp_path / "pace", clock).take(250) <= 0.25
    (tmp_path / "pace").write_bytes(b"\xff" * 8)
    assert Pace(1000, tmp_path / "pace", clock).take(250) <= 0.25


def test_a_limit_does_not_wait_for_a_process_that_was_halted_while_it_held_the_file(tmp_path: Path) -> None:
    import fcntl

    path = tmp_path / "pace"
    holder = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(holder, fcntl.LOCK_EX)
    assert Pace(1000, path, Clock()).take(1250) == pytest.approx(1.0)
    os.close(holder)


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_a_window_is_open_for_its_minutes_and_opens_when_it_says(start: int, end: int, now_minute: int) -> None:
    if start == end:
        return
    window = Window.parse(f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}")
    now = datetime(2026, 3, 5, now_minute // 60, now_minute % 60, 30)
    is_inside = start <= now_minute < end if start < end else now_minute >= start or now_minute < end
    opens = window.opens_at(now)
    assert (opens is None) == is_inside
    if opens is not None:
        assert now < opens <= now + timedelta(days=1)
        assert window.opens_at(opens) is None
        assert window.opens_at(opens - timedelta(minutes=1)) is not None or opens - now < timedelta(minutes=1)


@pytest.mark.parametrize("text", ["", "22:00", "22:00-22:00", "7:00-07:00", "24:00-06:00", "22:60-06:00", "at night"])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="22:00-06:00"):
        Window.parse(text)


def test_waits_grow_differ_and_end() -> None:
    tuning = Tuning(max_failures=6, backoff_s=1, max_backoff_s=10)
    problem = Interrupted("box does not answer")
    for num_failures, longest_s in ((1, 1), (2, 2), (4, 8), (6, 10)):
        waits = [wait_after(problem, num_failures, tuning) for _ in range(30)]
        assert longest_s / 2 <= min(waits) < max(waits) <= longest_s
    with pytest.raises(SourceUnavailable, match="box does not answer; pull again later"):
        wait_after(problem, 7, tuning)


def test_a_server_is_asked_again_when_it_says_unless_that_is_too_late() -> None:
    assert wait_after(Interrupted("busy", 7.0), 1, Tuning()) == 7.0
    with pytest.raises(SourceUnavailable) as caught:
        wait_after(Interrupted("busy", 86400.0), 1, Tuning())
    assert caught.value.retry_after_s == 86400.0


def test_a_rate_is_that_of_the_last_seconds_and_forgets_a_beginning_that_was_given_up() -> None:
    rate = Rate()
    assert rate.add(0.0, 0) is None
    assert rate.add(0.1, 10) is None
    assert rate.add(1.0, 1000) == 1000
    for second in range(2, 40):
        steady = rate.add(float(second), 1000 + 50 * second)
    assert steady == pytest.approx(50)
    assert rate.add(40.0, 0) is None
