"""Whoever waits is told: tasks, batches and jobs over a receiver on this machine."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from appliance.settings import NotifySettings
from tests.api.conftest import PATIENT, Daemon, served
from tests.authority import Authority
from tests.receiver import Mailbox, Receiver, receiving, taking_mail

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
TIMEOUT_S = 30.0
QUESTION = {"input_text": "Name a city.", "max_length": 16, "temperature": 0, "mode": "async"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with taking_mail() as mailbox:
        yield mailbox


@pytest.fixture
def notify(receiver: Receiver, mailbox: Mailbox) -> NotifySettings:
    return NotifySettings(
        allowed_addresses=(receiver.url, f"http://localhost:{receiver.port}", "@example.org"),
        targets=(f"ntfy:{receiver.url}/everything", f"nobody ntfy:{receiver.url}/never"),
        webhook_secret=SECRET,
        smtp_host="127.0.0.1",
        smtp_port=mailbox.port,
        smtp_security="none",
        smtp_from="box@example.org",
    )


@pytest.fixture
def daemon(tmp_path: Path, notify: NotifySettings) -> Iterator[Daemon]:
    with served(tmp_path, PATIENT, notify=notify) as daemon:
        yield daemon


def ask(http: httpx.Client, notify: Any, **fields: Any) -> httpx.Response:
    return http.post("/v1/inference", json=QUESTION | {"notify": notify} | fields)


def told(http: httpx.Client, path: str, status: str) -> dict[str, Any]:
    """Poll until the notification was tried and is in this state; the receiver has it before the outbox knows."""
    ends_s = time.monotonic() + TIMEOUT_S
    while True:
        found: dict[str, Any] = http.get(path).json()
        if found["notifications"][0]["status"] == status and found["notifications"][0]["num_tries"]:
            return found
        assert time.monotonic() < ends_s, found
        time.sleep(0.01)


def of_path(receiver: Receiver, path: str) -> tuple[dict[str, str], bytes]:
    while True:
        at, headers, body = receiver.next()
        if at == path:
            return headers, body


def test_a_task_that_ends_is_told_with_a_signed_webhook(http: httpx.Client, receiver: Receiver) -> None:
    task = ask(http, {"webhook": f"{receiver.url}/done?of=task"}).json()
    headers, body = of_path(receiver, "/done?of=task")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(b"k" * 32, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    news = json.loads(body)
    assert (news["type"], news["data"]["task_id"]) == ("task.done", task["task_id"])
    assert news["data"]["result"]["predictions"][0]["text"] and news["timestamp"].endswith("Z")
    found = told(http, f"/v1/tasks/{task['task_id']}", "delivered")
    assert [(each["kind"], each["reason"]) for each in found["notifications"]] == [("webhook", None)]


def test_all_that_ends_is_told_to_the_targets_of_the_settings(http: httpx.Client, receiver: Receiver) -> None:
    task = http.post("/v1/inference", json=QUESTION).json()
    headers, body = of_path(receiver, "/everything")
    assert (headers["title"], body.decode()) == ("task.done", f"{task['task_id']}: task.done")
    job = http.post("/admin/v1/jobs", json={"kind": "play"}).json()
    assert of_path(receiver, "/everything")[1].decode() == f"{job['id']}: job.done"
    assert receiver.got.empty()


def test_a_receiver_that_is_busy_is_tried_again_with_the_same_id(http: httpx.Client, receiver: Receiver) -> None:
    receiver.statuses = {"/done": [503]}
    receiver.may_take.clear()
    task = ask(http, {"webhook": f"{receiver.url}/done"}).json()
    first, _ = of_path(receiver, "/done")
    found = told(http, f"/v1/tasks/{task['task_id']}", "pending")["notifications"][0]
    assert "503" in found["reason"] and found["next_try_at"] > 0
    receiver.may_take.set()
    again, _ = of_path(receiver, "/done")
    assert again["webhook-id"] == first["webhook-id"]
    assert told(http, f"/v1/tasks/{task['task_id']}", "delivered")["notifications"][0]["num_tries"] == 2


def test_a_receiver_that_is_gone_is_given_up(http: httpx.Client, receiver: Receiver) -> None:
    receiver.statuses = {"/topic": [410]}
    task = ask(http, {"ntfy": f"{receiver.url}/topic"}).json()
    found = told(http, f"/v1/tasks/{task['task_id']}", "given_up")["notifications"][0]
    assert "410" in found["reason"]


def test_no_redirect_is_followed(http: httpx.Client, receiver: Receiver) -> None:
    receiver.statuses = {"/done": [302]}
    receiver.may_take.clear()
    task = ask(http, {"webhook": f"{receiver.url}/done"}).json()
    assert "302" in told(http, f"/v1/tasks/{task['task_id']}", "pending")["notifications"][0]["reason"]
    # One that was followed would stand there by now
    assert {receiver.next()[0] for _ in range(receiver.got.qsize())} <= {"/done", "/everything"}


def test_a_receiver_that_asks_for_patience_gets_it(http: httpx.Client, receiver: Receiver) -> None:
    receiver.statuses = {"/done": [429]}
    receiver.headers = {"Retry-After": "3600"}
    before_s = time.time()
    task = ask(http, {"webhook": f"{receiver.url}/done"}).json()
    found = told(http, f"/v1/tasks/{task['task_id']}", "pending")["notifications"][0]
    assert found["next_try_at"] >= before_s + 3600


def test_who_proves_who_it_is_is_told_over_https(tmp_path: Path, notify: NotifySettings) -> None:
    ours, strange = Authority(tmp_path / "ours"), Authority(tmp_path / "strange")
    with receiving(ours.server()) as known, receiving(strange.server()) as unknown:
        secured = replace(notify, allowed_addresses=(known.url[8:], unknown.url[8:]), ca_file=str(ours.file))
        with served(tmp_path / "home", PATIENT, notify=secured) as daemon:
            http = httpx.Client(base_url=daemon.url, trust_env=False)
            of_known = ask(http, {"webhook": known.url}).json()
            of_unknown = ask(http, {"webhook": unknown.url}).json()
            assert told(http, f"/v1/tasks/{of_known['task_id']}", "delivered")
            reason = told(http, f"/v1/tasks/{of_unknown['task_id']}", "pending")["notifications"][0]["reason"]
            http.close()
        assert json.loads(known.next()[2])["data"]["task_id"] == of_known["task_id"]
        assert "certificate of 127.0.0.1 is not trusted" in reason and unknown.got.empty()


def test_a_mail_says_what_has_ended_and_no_content(http: httpx.Client, mailbox: Mailbox) -> None:
    task = ask(http, {"email": "ada@example.org"}).json()
    mail = mailbox.got.get(timeout=30)
    assert "To: ada@example.org" in mail and f"Subject: {task['task_id']}: task.done" in mail
    assert told(http, f"/v1/tasks/{task['task_id']}", "delivered")["result"]["predictions"][0]["text"] not in mail


def test_a_mailbox_that_does_not_exist_is_given_up(http: httpx.Client, mailbox: Mailbox) -> None:
    mailbox.refuses = True
    task = ask(http, {"email": "eve@example.org"}).json()
    assert "550" in told(http, f"/v1/tasks/{task['task_id']}", "given_up")["notifications"][0]["reason"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"webhook": "https://elsewhere.example/"}, "notify.allowed_addresses"),
        ({"webhook": "http://169.254.169.254/latest"}, "notify.allowed_addresses"),
        ({"email": "ada@elsewhere.example"}, "notify.allowed_addresses"),
        ([{"email": "ada@example.org"}, {"ntfy": "https://elsewhere.example/"}], "notify.allowed_addresses"),
        ({"webhook": ""}, "notify"),
        ({"pager": "1"}, "pager"),
    ],
)
def test_what_may_not_be_told_is_refused_when_the_task_is_given_in(http: httpx.Client, asked: Any, says: str) -> None:
    response = ask(http, asked)
    assert response.status_code == 400 and says in response.json()["error"]["message"]
    assert http.get("/v1/tasks").json()["data"] == []


def test_an_answer_that_comes_at_once_is_not_told(http: httpx.Client, receiver: Receiver) -> None:
    response = ask(http, {"webhook": receiver.url}, mode="sync")
    assert response.status_code == 400 and "async" in response.json()["error"]["message"]
