"""A scrub of a real daemon: bit rot is found, said, and not served any more, until the model is whole again."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from appliance.core.store import Scrubbed
from models.embedded import EMBEDDED_PATH
from tests.conftest import RealDaemon, running_daemon


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    with running_daemon(tmp_path_factory.mktemp("scrub") / "home") as daemon:
        source = daemon.home / "mine.gguf"
        source.write_bytes(EMBEDDED_PATH.read_bytes())
        list(daemon.client.add_model(str(source), name="mine", copy=True))
        yield daemon


def scrub(box: RealDaemon, name: str | None = None) -> Scrubbed:
    *_, job = box.client.follow_job(box.client.scrub(name).id)
    assert job.error is None
    return msgspec.convert(job.result, Scrubbed)


def test_a_damaged_model_is_found_and_comes_back_whole(box: RealDaemon) -> None:
    sound = scrub(box)
    assert (sound.num_models, sound.hurt) == (2, ())
    assert sound.note.endswith("all are what was added")
    path = Path(box.client.model("mine").path)
    status = path.stat()
    with path.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        last = stream.read(1)
        stream.seek(-1, os.SEEK_END)
        stream.write(bytes([last[0] ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    hurt = scrub(box, "mine").hurt
    assert [(each.name, len(each.problems)) for each in hurt] == [("mine", 1)]
    assert "no longer what was added" in box.client.model("mine").problems[0]
    key = (box.home / "run" / "local.key").read_text()
    answer = httpx.post(
        f"{box.url}/v1/completions",
        json={"model": "mine", "prompt": "Hi", "max_tokens": 1},
        headers={"authorization": f"Bearer {key}"},
        trust_env=False,
        timeout=60,
    )
    assert answer.status_code == 500
    assert "is not what was added" in answer.json()["error"]["message"]
    list(box.client.add_model(str(box.home / "mine.gguf"), name="mine", copy=True))
    assert box.client.model("mine").problems == ()
    assert scrub(box).hurt == ()
