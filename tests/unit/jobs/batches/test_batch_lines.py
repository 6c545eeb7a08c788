"""The input of a batch: what is refused, with its line, and the order in which the rest is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from appliance.jobs.batches.lines import MAX_FAULTS, Input, in_order, read_input, read_line

CHAT = "/v1/chat/completions"
LONG = "You are the help of a company that sells boats and all that belongs to them. " * 8


def line(custom_id: str, text: str = "hi", **changes: Any) -> str:
    body = {"messages": [{"role": "user", "content": text}]}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body} | changes)


def read(tmp_path: Path, *lines: str) -> Input:
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(lines))
    return read_input(path, CHAT)


def test_every_line_is_found_again_where_it_stands(tmp_path: Path) -> None:
    found = read(tmp_path, line("a", "one"), "", line("b", "zwei ü"))
    with (tmp_path / "in.jsonl").open("rb") as stream:
        read_again = [read_line(stream, entry) for entry in reversed(found.entries)]
    assert [(each.custom_id, each.body["messages"][0]["content"]) for each in read_again] == [
        ("b", "zwei ü"),
        ("a", "one"),
    ]


@pytest.mark.parametrize(
    ("bad", "code", "param"),
    [
        ("{", "invalid_json_line", None),
        ("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "invalid_json_line", None),
        ('{"custom_id": "b"}', "invalid_request", None),
        (line("a"), "duplicate_custom_id", "custom_id"),
        (line("b", method="GET"), "invalid_method", "method"),
        (line("b", url="/v1/embeddings"), "mismatched_endpoint", "url"),
        (line("b", body={"stream": True}), "invalid_request", "body.stream"),
        (line("b", body={"background": True}), "invalid_request", "body.background"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, bad: str, code: str, param: str | None) -> None:
    found = read(tmp_path, line("a"), "", bad)
    assert found.entries == ()
    assert [(fault.code, fault.line, fault.param) for fault in found.faults] == [(code, 3, param)]
    assert found.faults[0].message


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert [fault.code for fault in read(tmp_path, "", "  ").faults] == ["empty_file"]


def test_not_every_fault_of_a_wrong_file_is_told(tmp_path: Path) -> None:
    assert len(read(tmp_path, *["nonsense"] * (MAX_FAULTS + 50)).faults) == MAX_FAULTS


def test_requests_that_begin_alike_are_asked_together(tmp_path: Path) -> None:
    texts = ["short", LONG + "one", "other", LONG + "two", "third"]
    found = read(tmp_path, *(line(str(number), text) for number, text in enumerate(texts)))
    order = [entry.custom_id for entry in in_order(found.entries)]
    assert abs(order.index("1") - order.index("3")) == 1
    assert [each for each in order if each not in ("1", "3")] == ["0", "2", "4"]


def test_models_are_not_mixed(tmp_path: Path) -> None:
    bodies = [{"model": model, "messages": []} for model in ("a", "b", "a", "b")]
    found = read(tmp_path, *(line(str(number), body=body) for number, body in enumerate(bodies)))
    assert [entry.custom_id for entry in in_order(found.entries)] == ["0", "2", "1", "3"]
