"""The inside of a job's child process: how often it reports, and that nobody else speaks for it."""

import io
from pathlib import Path

import msgspec
import pytest

from appliance.child import Reporter
from appliance.core.jobs import JobProgress


@pytest.fixture
def events() -> io.BytesIO:
    return io.BytesIO()


def told(events: io.BytesIO) -> list[JobProgress]:
    return [msgspec.json.decode(line, type=JobProgress) for line in events.getvalue().splitlines()]


def test_of_many_reports_in_one_moment_the_first_and_the_last_are_sent(events: io.BytesIO) -> None:
    report = Reporter(events, Path("/"), Path("/"))
    for number in range(1, 10_001):
        report.progress("counting", number, 10_000, "steps")
    assert len(told(events)) < 100
    assert (told(events)[0].done, told(events)[-1].done) == (1, 10_000)


def test_a_new_text_is_sent_at_once(events: io.BytesIO) -> None:
    report = Reporter(events, Path("/"), Path("/"))
    for text in ("reading", "writing", "reading"):
        report.progress(text)
    assert [event.text for event in told(events)] == ["reading", "writing", "reading"]
