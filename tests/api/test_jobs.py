"""`/admin/v1/jobs` with our own client and real child processes."""

from collections.abc import Callable

import httpx
import pytest

from appliance.client import Client, ClientError
from appliance.core.jobs import Job
from tests.api.conftest import Daemon


@pytest.fixture
def client(daemon: Daemon) -> Client:
    return Client(daemon.url)


def test_a_job_is_submitted_followed_to_its_end_and_listed(client: Client) -> None:
    job = client.submit_job("play", {"name": "ada", "num_progress": 50})
    assert (job.kind, job.caller, job.has_ended) == ("play", "local", False)
    news = list(client.follow_job(job.id))
    assert news[-1].state == "done"
    assert news[-1].result is not None
    assert news[-1].result["name"] == "ada"
    assert news[-1].progress.unit == "steps"
    assert [one.has_ended for one in news[:-1]] == [False] * (len(news) - 1)
    assert client.job(job.id) == news[-1]
    assert client.jobs() == (news[-1],)


def test_a_submission_is_accepted_not_done(http: httpx.Client) -> None:
    response = http.post("/admin/v1/jobs", json={"kind": "play"})
    assert response.status_code == 202
    assert set(response.json()) >= {"id", "kind", "state", "progress", "created_s", "caller", "error", "result"}


def test_what_has_ended_already_is_followed_in_one_event(client: Client) -> None:
    job = client.submit_job("play", {"fails": "needs 5 GiB"})
    (*_, ended) = client.follow_job(job.id)
    assert list(client.follow_job(job.id)) == [ended]
    assert ended.error is not None
    assert ended.error.message == "needs 5 GiB"


def test_a_job_is_paused_resumed_and_cancelled(client: Client) -> None:
    job = client.submit_job("play", {"hangs": True})
    following = client.follow_job(job.id)
    next(news for news in following if news.progress.text == "hanging")
    assert client.pause_job(job.id).state == "paused"
    assert client.resume_job(job.id).state == "running"
    assert client.cancel_job(job.id).state == "cancelled"
    assert [news.state for news in following][-1] == "cancelled"


def test_what_cannot_be_done_keeps_its_status(client: Client) -> None:
    ended = list(client.follow_job(client.submit_job("play", {}).id))[-1]
    cases: list[tuple[Callable[[], object], int]] = [
        (lambda: client.job("job-0"), 404),
        (lambda: list(client.follow_job("job-0")), 404),
        (lambda: client.submit_job("conjure", {}), 400),
        (lambda: client.submit_job("play", {"colour": "red"}), 400),
        (lambda: client.cancel_job(ended.id), 409),
        (lambda: client.resume_job(ended.id), 409),
    ]
    for call, status in cases:
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.status == status


def test_jobs_need_a_key_that_may_operate(client: Client, daemon: Daemon) -> None:
    admin = Client(daemon.url, client.create_key("root", "admin").key)
    user = Client(daemon.url, admin.create_key("app", "use").key)
    operator = Client(daemon.url, admin.create_key("deploy", "operate").key)
    calls: list[Callable[[Client], object]] = [
        Client.jobs,
        lambda who: who.job("x"),
        lambda who: who.submit_job("play", {}),
        lambda who: who.cancel_job("x"),
        lambda who: who.pause_job("x"),
        lambda who: who.resume_job("x"),
        lambda who: list(who.follow_job("x")),
    ]
    for call in calls:
        with pytest.raises(ClientError, match="operate"):
            call(user)
    job: Job = operator.submit_job("play", {})
    assert job.caller == "deploy"
