"""`/v1/batches` with the openai library before a real daemon."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai as library
import pytest
from openai import OpenAI
from openai.types import Batch

from tests.conftest import RealDaemon

CHAT: Any = "/v1/chat/completions"
ENDED = ("completed", "failed", "expired", "cancelled")
TIMEOUT_S = 60.0


@pytest.fixture
def openai(real_daemon: RealDaemon) -> Iterator[OpenAI]:
    with (
        httpx.Client(trust_env=False) as transport,
        OpenAI(base_url=f"{real_daemon.url}/v1", api_key="none", http_client=transport, max_retries=0) as client,
    ):
        yield client


def line(custom_id: str, url: str = CHAT, **body: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": body}


def question(custom_id: str, text: str = "Name a city.", max_tokens: int = 4) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return line(custom_id, model="guide", messages=messages, max_tokens=max_tokens)


def begin(openai: OpenAI, *lines: dict[str, Any], endpoint: Any = CHAT) -> Batch:
    content = "\n".join(map(json.dumps, lines)).encode()
    file = openai.files.create(file=("in.jsonl", content), purpose="batch")
    return openai.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h")


def end_of(openai: OpenAI, batch: Batch) -> Batch:
    ends_s = time.monotonic() + TIMEOUT_S
    while batch.status not in ENDED:
        assert time.monotonic() < ends_s, batch
        time.sleep(0.05)
        batch = openai.batches.retrieve(batch.id)
    return batch


def lines_of(openai: OpenAI, file_id: str | None) -> dict[str, Any]:
    assert file_id is not None
    lines = map(json.loads, openai.files.content(file_id).text.splitlines())
    return {each["custom_id"]: each for each in lines}


def test_every_request_is_answered_or_refused_in_its_file(openai: OpenAI) -> None:
    unknown = question("wrong")
    unknown["body"]["model"] = "nobody"
    batch = end_of(openai, begin(openai, question("a"), unknown, question("b")))
    counts = batch.request_counts
    assert batch.status == "completed" and counts is not None
    assert (counts.total, counts.completed, counts.failed) == (3, 2, 1)
    answers = lines_of(openai, batch.output_file_id)
    assert set(answers) == {"a", "b"}
    assert answers["a"]["response"]["status_code"] == 200
    assert answers["a"]["response"]["body"]["choices"][0]["message"]["content"]
    errors = lines_of(openai, batch.error_file_id)
    assert (set(errors), errors["wrong"]["response"]["status_code"]) == ({"wrong"}, 404)


def test_completions_are_answered_too(openai: OpenAI) -> None:
    url: Any = "/v1/completions"
    batch = end_of(openai, begin(openai, line("a", url, prompt="Once", max_tokens=3), endpoint=url))
    assert lines_of(openai, batch.output_file_id)["a"]["response"]["body"]["object"] == "text_completion"


def test_an_input_at_fault_is_refused_as_a_whole_with_its_lines(openai: OpenAI) -> None:
    batch = end_of(openai, begin(openai, question("a"), question("a")))
    assert batch.status == "failed" and batch.errors is not None and batch.errors.data is not None
    assert [(fault.code, fault.line) for fault in batch.errors.data] == [("duplicate_custom_id", 2)]
    assert batch.output_file_id is None


def test_a_cancelled_batch_keeps_what_was_answered(openai: OpenAI) -> None:
    lines = [question(str(number), f"Count to {number}.", 64) for number in range(300)]
    batch = begin(openai, *lines)
    while openai.batches.retrieve(batch.id).request_counts.completed == 0:  # type: ignore[union-attr]  # it is told
        time.sleep(0.05)
    assert openai.batches.cancel(batch.id).status == "cancelling"
    batch = end_of(openai, batch)
    assert batch.status == "cancelled" and batch.cancelled_at is not None
    assert 0 < len(lines_of(openai, batch.output_file_id)) < 300
    with pytest.raises(library.ConflictError):
        openai.batches.cancel(batch.id)


def test_batches_are_listed_newest_first(openai: OpenAI) -> None:
    batches = [end_of(openai, begin(openai, question("a"))) for _ in range(2)]
    listed = [batch.id for batch in openai.batches.list(limit=1)]
    assert listed[:2] == [batch.id for batch in reversed(batches)]


def test_what_cannot_be_a_batch_is_refused(openai: OpenAI) -> None:
    other = openai.files.create(file=("a.txt", b"x"), purpose="user_data")
    with pytest.raises(library.BadRequestError, match="purpose"):
        openai.batches.create(input_file_id=other.id, endpoint=CHAT, completion_window="24h")
    with pytest.raises(library.NotFoundError):
        openai.batches.create(input_file_id="file-none", endpoint=CHAT, completion_window="24h")
    with pytest.raises(library.NotFoundError):
        openai.batches.retrieve("batch_none")
