"""The files that a batch writes: whole lines, once each, also after a death in the middle of one."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.jobs.batches.results import Problem, Response, Result, ResultFiles, error_path, output_path


def answered(custom_id: str, status_code: int = 200) -> Result:
    response = Response(status_code=status_code, request_id="r", body=msgspec.Raw(b'{"ok": true}'))
    return Result(id="r", custom_id=custom_id, response=response)


def ids(path: Path) -> list[str]:
    return [json.loads(line)["custom_id"] for line in path.read_text().splitlines()]


def test_answers_and_errors_go_into_files_of_their_own(tmp_path: Path) -> None:
    files = ResultFiles(tmp_path)
    files.add(answered("a"))
    files.add(answered("b", 400))
    files.add(Result(id="r", custom_id="c", response=None, error=Problem(code="batch_expired", message="late")))
    files.close()
    assert ids(output_path(tmp_path)) == ["a"]
    assert ids(error_path(tmp_path)) == ["b", "c"]
    assert json.loads(output_path(tmp_path).read_text())["response"]["body"] == {"ok": True}


@given(cut=st.integers(0, 400))
def test_wherever_it_died_nothing_is_lost_that_was_whole_and_nothing_stands_twice(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("results")
    files = ResultFiles(folder)
    for custom_id in "abc":
        files.add(answered(custom_id))
    files.close()
    content = output_path(folder).read_bytes()
    output_path(folder).write_bytes(content[:cut])
    again = ResultFiles(folder)
    assert again.answered == set("abc"[: content[:cut].count(b"\n")])
    for custom_id in sorted(set("abc") - again.answered):
        again.add(answered(custom_id))
    again.close()
    assert ids(output_path(folder)) == ["a", "b", "c"]
