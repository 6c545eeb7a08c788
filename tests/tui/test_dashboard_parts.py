"""What the dashboard is made of: trends, cards, concerns and happenings, without a screen."""

import msgspec
import pytest

from appliance.core.easing import Easing
from appliance.core.history import History
from tests.tui.conftest import NOW_S
from tests.tui.test_dashboard import FINDINGS, HAPPENED, JOBS, MODELS, event, history
from tests.unit.cli.fake_daemon import loaded, status
from tui.screens.dashboard_concerns import Go, Load, Show, concerns
from tui.screens.dashboard_happenings import happening
from tui.screens.dashboard_trends import Recent
from tui.widgets.figures import bar, cut, short_duration, size, spread
from tui.widgets.model_card import FRAME_LINES, brief, framed
from tui.widgets.tones import plain
from tui.widgets.trend import Trend, columns, lines


def test_columns_are_as_high_as_their_values() -> None:
    assert columns(Trend("x", "", (0.0, 2.0, 4.0, 8.0), high=8.0), 4) == ("▁▂▄█",)
    assert columns(Trend("x", "", (0.0, 8.0, 16.0), high=16.0), 3, num_lines=2) == ("  █", "▁██")


def test_what_is_not_known_has_no_column() -> None:
    assert columns(Trend("x", "", (None, 1.0, None)), 5) == ("   █ ",)
    assert columns(Trend("x", "", ()), 3) == ("   ",)


def test_a_column_stands_for_the_same_moments_while_values_come() -> None:
    values = [float(number % 10) for number in range(40)]
    first = columns(Trend("x", "", values, high=9.0), 10)[0]
    later = columns(Trend("x", "", [*values[4:], 0.0, 0.0, 0.0, 0.0], high=9.0, num_before=4), 10)[0]
    assert later[:9] == first[1:]


def test_label_and_value_have_their_places_whatever_the_value() -> None:
    rows = [plain(lines(Trend("CPU", value, (1.0,)), 8, 40)[0]) for value in ("3 %", "100 %")]
    assert [row[:19] for row in rows] == ["CPU           3 %  ", "CPU         100 %  "]
    assert [len(row) for row in rows] == [40, 40]


def test_trends_are_full_at_once_and_grow_by_steps() -> None:
    recent = Recent()
    recent.fill(history(), 100.0)
    now = status(*MODELS)
    recent.grow(now, 100.5)
    assert [len(trend.values) for trend in recent.trends()] == [75] * len(recent.trends())
    before = recent.trends()[0].values
    recent.grow(now, 102.0)
    assert recent.trends()[0].values == (*before[1:], 51.25 * 2)
    assert recent.trends()[0].num_before == 1


def test_a_step_counts_the_requests_that_ended_in_it() -> None:
    recent = Recent()
    recent.fill(History(interval_s=2.0, samples=()), 100.0)
    timings = {"queue_s": 0.1, "prefill_s": 0.3, "decode_s": 1.0}
    recent.hear([event(1, "request.ended", timings=timings, prompt_tokens=100, cached_tokens=75)])
    recent.grow(status(), 102.0)
    shown = {trend.label: trend for trend in recent.trends()}
    assert (shown["TTFT"].value, shown["cached"].value) == ("400 ms", " 75 %")


def test_only_what_the_machine_can_tell_is_shown() -> None:
    recent = Recent()
    recent.grow(status(), 100.0)
    assert [trend.label for trend in recent.trends()] == ["tokens/s", "TTFT", "waiting", "cached", "CPU", "memory"]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.state)
def test_a_card_has_lines_of_one_width(model: object) -> None:
    for width in (46, 76, 96):
        assert {len(plain(line)) for line in brief(model, width)} == {width}  # type: ignore[arg-type]  # ids want object
        frame = framed(model, width)  # type: ignore[arg-type]  # as above
        assert len(frame) == FRAME_LINES
        assert {len(plain(line)) for line in frame} == {width}


def test_a_card_does_not_move_when_its_figures_change() -> None:
    calm, busy = loaded(tokens_per_s=0.0, num_running=0, ttft_s=None), loaded(tokens_per_s=1234.5, ttft_s=12.3)
    first, second = (plain(brief(model, 76)[0]) for model in (calm, busy))
    assert first.index("tokens/s") == second.index("tokens/s")
    assert first.index("running") == second.index("running")


def test_what_needs_attention_comes_with_what_mends_it() -> None:
    found = concerns(status(*MODELS), FINDINGS, JOBS, NOW_S)
    assert [(each.is_grave, type(each.deed)) for each in found] == [
        (True, Load),
        (True, Go),
        (False, Show),
        (False, Show),
    ]
    assert found[1].text == "quantize phi4: the disk is full: 2.1 GiB are missing"
    assert [each.deed.command for each in found if isinstance(each.deed, Show)] == [
        "chmod 600 /var/lib/appliance/keys",
        "appliance explain phi4",
    ]


def test_a_job_that_was_done_later_or_failed_long_ago_is_no_concern() -> None:
    again = msgspec.structs.replace(JOBS[0], state="done", ended_s=NOW_S - 5, error=None)
    assert not concerns(None, (), (again, *JOBS), NOW_S)
    assert concerns(None, (), JOBS, NOW_S)
    assert not concerns(None, (), JOBS, NOW_S + 2 * 24 * 3600)


def test_a_machine_that_holds_back_and_a_box_that_stops_are_concerns() -> None:
    now = status()
    machine = msgspec.structs.replace(now.machine, easing=Easing(work_ratio=0.5, reason="the battery is low"))
    found = concerns(msgspec.structs.replace(now, machine=machine, state="draining"), (), (), NOW_S)
    assert [each.text for each in found] == [
        "the machine works at 50%: the battery is low",
        "the box finishes what runs and takes nothing new: it is about to stop",
    ]


def test_what_happened_is_told_in_words() -> None:
    told = [happening(each, {"j1": "hf:Qwen/Qwen3-8B"}) for each in HAPPENED]
    assert [each.text for each in told if each] == [
        "guide is being loaded",
        "guide is ready: loaded in 478 ms",
        "pull hf:Qwen/Qwen3-8B began",
        "pull hf:Qwen/Qwen3-8B is done after 3 min 5 s",
        "broken could not be loaded: its file ends before the last tensor",
        "the machine works at 75%: the processor is hot",
        "phi4 ran out of memory: a smaller context",
        "qwen3-8b:latest is being loaded",
    ]
    assert {each.place for each in told if each} == {"models", "jobs", "system"}


def test_what_is_of_little_interest_is_not_told() -> None:
    good = event(1, "request.ended", caller="a", model="guide", outcome="stop", error=None)
    placed = event(2, "model.placed", model="guide", planned="cpu", placed={"device": "cpu", "problem": None})
    assert [happening(each, {}) for each in (good, placed, event(3, "log"))] == [None, None, None]


def test_a_model_elsewhere_and_an_easing_that_ended_are_told() -> None:
    elsewhere = event(1, "model.placed", model="phi4", planned="cuda0", placed={"problem": "too little memory"})
    eased = event(2, "hardware.easing", easing={"work_ratio": 1.0, "holds_batch": False, "reason": ""})
    told = [happening(each, {}) for each in (elsewhere, eased)]
    assert [each.text for each in told if each] == [
        "phi4 is not computed where it was planned: too little memory",
        "the machine works with full force again",
    ]


def test_figures_are_short_and_say_when_they_are_unknown() -> None:
    assert [size(n) for n in (None, 0, 999, 192 * 2**20, 15.6 * 2**30, 1.2 * 2**40)] == [
        *("–", "0 B", "999 B", "192 MiB", "15.6 GiB", "1.2 TiB")
    ]
    assert [short_duration(s) for s in (None, 0.0004, 0.9996, 4.2, 185, 5000)] == [
        *("–", "0 ms", "1.0 s", "4.2 s", "185 s", "83 min")
    ]


def test_a_bar_shows_a_little_as_something_and_is_never_too_long() -> None:
    assert [plain(bar(ratio, 4)) for ratio in (None, 0.0, 0.001, 0.5, 0.99, 7.0)] == [
        *("────", "────", "╸───", "━━──", "━━━━", "━━━━")
    ]


def test_two_texts_share_a_line_and_the_left_one_gives_way() -> None:
    assert spread("left", "right", 12) == (("left", ""), ("   ", ""), ("right", ""))
    assert plain(spread("a long text at the left", "right", 14)) == "a long…  right"
    assert plain(cut("模型正在加载", 6)) == "模型…"
    assert len(plain(spread("模型", "", 6))) == 4
