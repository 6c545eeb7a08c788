"""The record of memory that ran out."""

from pathlib import Path

from appliance.core.events import MemoryRanShort, ModelStateChanged
from appliance.ops.record_file import MAX_LINES
from appliance.ops.shortages import ShortageLog, path_of, read_shortages


def test_a_shortage_is_written_down_and_read_back(tmp_path: Path) -> None:
    log = ShortageLog(tmp_path, lambda: 5.0)
    log.observe(MemoryRanShort(model="qwen3:latest", measure="steps compute at most 256 tokens from now on"))
    log.observe(ModelStateChanged(model="qwen3:latest", state="ready", reason=""))
    (shortage,) = read_shortages(tmp_path)
    assert (shortage.time_s, shortage.model) == (5.0, "qwen3:latest")
    assert "256 tokens" in shortage.measure


def test_the_record_keeps_only_the_newest(tmp_path: Path) -> None:
    times = iter(range(1000))
    log = ShortageLog(tmp_path, lambda: float(next(times)))
    for _ in range(MAX_LINES + 20):
        log.observe(MemoryRanShort(model="m", measure="less"))
    shortages = read_shortages(tmp_path)
    assert len(shortages) == MAX_LINES
    assert shortages[0].time_s == 20.0 and shortages[-1].time_s == MAX_LINES + 19.0


def test_a_damaged_line_hides_no_other(tmp_path: Path) -> None:
    ShortageLog(tmp_path, lambda: 1.0).observe(MemoryRanShort(model="m", measure="less"))
    path = path_of(tmp_path)
    path.write_bytes(b"\x00garbage\n" + path.read_bytes() + b'{"half": ')
    assert [shortage.model for shortage in read_shortages(tmp_path)] == ["m"]


def test_without_a_record_there_was_no_shortage(tmp_path: Path) -> None:
    assert read_shortages(tmp_path) == ()
