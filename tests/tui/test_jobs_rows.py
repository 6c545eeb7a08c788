"""Long work as rows."""

import pytest
from msgspec.structs import replace

from appliance.core.feed import FeedEvent
from appliance.core.jobs import JobProgress
from tests.tui.test_jobs import BYTES, RUNNING
from tui.screens.jobs_rows import Work, advanced, amount, brief, row
from tui.widgets.tones import plain


def test_progress_that_is_told_counts_at_once_and_keeps_the_rate() -> None:
    told = {"id": RUNNING.id, "text": "qwen3.gguf", "done": 9e8, "total": 1e9, "unit": "bytes"}
    event = FeedEvent(seq=1, time_s=0.0, type="job.progress", data=told)

    (job,) = advanced([RUNNING], [event])

    assert (job.progress.done, job.progress.rate) == (9e8, BYTES.rate)
    assert advanced([RUNNING], [FeedEvent(seq=2, time_s=0.0, type="job.state", data=told)]) == (RUNNING,)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0 s"), (59.4, "59 s"), (61, "1 min"), (7300, "2 h"), (86400, "24 h"), (200000, "2 d")],
)
def test_a_duration_has_one_unit(seconds: float, said: str) -> None:
    assert brief(seconds) == said


def test_amounts_are_in_the_units_of_the_work() -> None:
    assert amount(JobProgress(done=0.5, total=1.0)) == ""
    assert amount(JobProgress(done=3, unit="layers")) == "3 layers"
    assert amount(JobProgress(done=1200, total=4000, unit="requests")) == "1,200 / 4,000 requests"


def test_a_bar_is_always_as_wide() -> None:
    for done in (0.0, 1.0, 4.9e8, 1e9, 2e9):
        job = replace(RUNNING, progress=replace(BYTES, done=done))
        assert len(plain(row(Work(job), 0.0).cells["progress"])) == 16
