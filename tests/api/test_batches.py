"""`/v1/batches` with the openai library before a real daemon."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import httpx
import openai as library
import pytest
from openai import OpenAI
from openai.types import Batch

from appliance.core.batches import BatchEndpoint
from appliance.errors import BackendError
from models.store.store import ModelStore
from tests.api.conftest import Daemon
from tests.bert import random_bert, write_bert_gguf
from tests.commands import printed
from tests.conftest import RealDaemon, running_daemon

CHAT: Any = "/v1/chat/completions"
ENDED = ("completed", "failed", "expired", "cancelled")
TIMEOUT_S = 60.0


@contextmanager
def client_of(daemon: RealDaemon) -> Iterator[OpenAI]:
    with (
        httpx.Client(trust_env=False) as transport,
        OpenAI(base_url=f"{daemon.url}/v1", api_key="none", http_client=transport, max_retries=0) as client,
    ):
        yield client


@pytest.fixture
def openai(real_daemon: RealDaemon) -> Iterator[OpenAI]:
    with client_of(real_daemon) as client:
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


@pytest.mark.parametrize(
    ("url", "body", "object"),
    [
        ("/v1/completions", {"prompt": "Once", "max_tokens": 3}, "text_completion"),
        ("/v1/responses", {"input": "Once", "max_output_tokens": 3, "store": False}, "response"),
    ],
)
def test_other_endpoints_are_answered_too_and_last_of_all(
    openai: OpenAI, real_daemon: RealDaemon, url: Any, body: dict[str, Any], object: str
) -> None:
    batch = end_of(openai, begin(openai, line("a", url, **body), endpoint=url))
    assert lines_of(openai, batch.output_file_id)["a"]["response"]["body"]["object"] == object
    assert real_daemon.client.requests().requests[0].priority == "batch"


def test_what_its_requests_share_is_computed_once(openai: OpenAI) -> None:
    goods = ("boats", "hats")
    said = [f"You sell {each}, and answer whoever asks for them in one short sentence. " * 20 for each in goods]
    lines = [question(str(number), f"What about number {number}?") for number in range(16)]
    for number, each in enumerate(lines):
        each["body"]["messages"].insert(0, {"role": "system", "content": said[number % 2]})
    batch = end_of(openai, begin(openai, *lines))
    answers = lines_of(openai, batch.output_file_id).values()
    usages = [answer["response"]["body"]["usage"] for answer in answers]
    computed = [usage["prompt_tokens_details"]["cached_tokens"] < usage["prompt_tokens"] / 2 for usage in usages]
    assert (len(computed), sum(computed)) == (16, 2)


def test_every_endpoint_of_a_batch_knows_the_lowest_class(http: httpx.Client, daemon: Daemon, tmp_path: Path) -> None:
    write_bert_gguf(tmp_path / "bert.gguf", random_bert())
    list(ModelStore(daemon.home).add(tmp_path / "bert.gguf", None, False, 0.0))
    daemon.do(daemon.parts.installed.refresh)
    daemon.scheduler.script = lambda request: [BackendError("it need not be answered")]
    bodies: dict[str, dict[str, Any]] = {
        "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
        "/v1/completions": {"prompt": "Hi"},
        "/v1/embeddings": {"model": "bert", "input": "Hi"},
        "/v1/responses": {"input": "Hi"},
    }
    for endpoint in get_args(BatchEndpoint):
        http.post(endpoint, json=bodies[endpoint] | {"priority": "batch"})
    assert [request.priority for request, _ in daemon.scheduler.requests] == ["batch"] * len(get_args(BatchEndpoint))


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


def zone(hour: int, minute: int, second: int = 0) -> str:
    """Return a time zone, as TZ has it, in which it is this time of the day now."""
    now = datetime.now(UTC)
    ahead = (now.replace(hour=hour, minute=minute, second=second) - now) % timedelta(days=1)
    # What lies east has a minus there
    return f"HERE-{timedelta(seconds=int(ahead.total_seconds()))}"


def test_a_batch_waits_for_its_hours_says_so_and_goes_on_when_they_begin(tmp_path: Path) -> None:
    window = {"APPLIANCE_JOBS__BATCH_WINDOW": "22:00-06:00"}
    with running_daemon(tmp_path, TZ=zone(12, 0), **window) as daemon, client_of(daemon) as openai:
        batch = begin(openai, question("a"))
        daemon.wait_until(lambda: "22:00" in daemon.client.jobs()[0].progress.text)
        listed, shown = (
            printed(daemon, "jobs", *words) for words in (("list",), ("show", str(daemon.client.jobs()[0].id)))
        )
        assert "waiting for 22:00 (jobs.batch_window)" in listed and "waiting for 22:00 (jobs.batch_window)" in shown
        assert openai.batches.retrieve(batch.id).request_counts.completed == 0  # type: ignore[union-attr]  # it is told
    with running_daemon(tmp_path, TZ=zone(21, 59, 55), **window) as daemon, client_of(daemon) as openai:
        assert end_of(openai, batch).status == "completed"
