"""A model measured over the admin API of a real daemon, and run from then on by what was found."""

import time
from collections.abc import Iterator

import pytest

from appliance.client import Client, ClientError
from tests.conftest import RealDaemon, running_daemon


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    with running_daemon(tmp_path_factory.mktemp("calibrate") / "home") as daemon:
        daemon.wait_until(lambda: daemon.client.status().is_ready)
        yield daemon


def say_something(box: RealDaemon) -> None:
    list(box.client.chat_stream("guide", [{"role": "user", "content": "Hi"}], max_tokens=2, seed=int(time.time())))


def test_a_request_stops_a_measurement_which_then_goes_on_to_its_end(box: RealDaemon) -> None:
    (job,) = box.client.calibrate_model("guide").jobs
    states: list[str] = []
    for ended in box.client.follow_job(job.id):
        if states[-1:] != [ended.state]:
            states.append(ended.state)
        if ended.progress.done >= 1 and states.count("running") == 1:
            say_something(box)
    assert states[-4:] == ["running", "queued", "running", "done"]
    assert ended.num_interruptions == 0
    assert ended.result is not None
    assert ended.result["measurement"]["speed"]["decode_8_tokens_per_s"] > 0  # type: ignore[index]  # a result is any JSON object


def test_what_cannot_be_measured_is_refused(box: RealDaemon) -> None:
    with pytest.raises(ClientError, match="not found"):
        box.client.calibrate_model("nobody")
    with pytest.raises(ClientError, match="can run here on"):
        box.client.calibrate_model("guide", ["nothing"])


def test_who_may_only_use_models_measures_none(box: RealDaemon) -> None:
    key = box.client.create_key("user", "use").key
    with pytest.raises(ClientError, match="operate"):
        Client(box.url, key).calibrate_model("guide")
