"""The texts by which models are judged, cut for a context and for the time that there is."""

from pathlib import Path

import numpy as np

from appliance.backends.held_out import CALIBRATION, HELD_OUT, Tokens, beginnings, sentences, texts, windows_of


def letters(text: str) -> Tokens:
    return np.frombuffer(text.encode(), np.uint8).astype(np.int32)


def test_nobody_is_judged_by_what_they_were_calibrated_with() -> None:
    assert not set(texts(HELD_OUT)) & set(texts(CALIBRATION))
    assert min(map(len, sentences())) > 40


def test_texts_are_cut_for_the_context_and_single_tokens_left_out(tmp_path: Path) -> None:
    file = tmp_path / "own.txt"
    file.write_text("abcdefghi\n---\nxy\n---\nz")

    found = [bytes(window.astype(np.uint8)) for window in windows_of(letters, 4, file)]

    assert found == [b"abcd", b"efgh", b"xy"]


def test_of_many_tokens_every_text_keeps_its_beginning() -> None:
    windows = [np.arange(10, dtype=np.int32), np.arange(100, 110, dtype=np.int32)]

    assert [len(window) for window in beginnings(windows, 20)] == [10, 10]
    assert [window.tolist() for window in beginnings(windows, 6)] == [[0, 1, 2], [100, 101, 102]]
    assert [len(window) for window in beginnings(windows, 1)] == [2, 2]
