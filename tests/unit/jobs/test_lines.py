"""What a child process writes is cut into lines, however much and whatever it is."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.jobs import ChildResult, JobProgress
from appliance.jobs.lines import MAX_LINE_BYTES, MAX_LOG_LINES, LineSplitter, LogTail, read_event


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_lines_are_the_same_wherever_the_bytes_are_cut(data: bytes, cuts: list[int]) -> None:
    splitter = LineSplitter()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    lines = [line for start, end in pairwise(edges) for line in splitter.feed(data[start:end])]
    assert [*lines, splitter.finish()] == data.split(b"\n")


def test_a_line_without_end_takes_no_more_memory_than_the_limit_and_the_next_is_whole() -> None:
    splitter = LineSplitter()
    for _ in range(20):
        assert splitter.feed(b"x" * (MAX_LINE_BYTES // 4)) == []
    first, second = splitter.feed(b"x\nnext\n")
    assert len(first) == MAX_LINE_BYTES
    assert second == b"next"


def test_the_log_keeps_its_last_lines_and_of_a_progress_bar_the_last_state() -> None:
    tail = LogTail()
    for number in range(100):
        tail.add(b"line %d" % number)
    tail.add(b"10%\r20%\r30%\r\n")
    tail.add(b"\xff\n")
    tail.add(b"  \n")
    assert len(tail.lines) == MAX_LOG_LINES
    assert tail.lines[-3:] == ("line 99", "30%", "�")


def test_only_what_is_an_event_is_one() -> None:
    assert read_event(b'{"type":"progress","text":"a","done":1}') == JobProgress(text="a", done=1.0)
    assert read_event(b'{"type":"result","result":{"a":1}}') == ChildResult(result={"a": 1})
    for garbage in (
        b"",
        b"\xff",
        b"[]",
        b"1",
        b'{"type":"result"}',
        b'{"type":"progress","done":"x"}',
        b"loading\xe2\x80",
    ):
        assert read_event(garbage) is None
