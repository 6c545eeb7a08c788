"""Daemons and children that are killed while a model is quantized: none of it becomes half a model."""

import hashlib
import os
import signal
from itertools import islice
from pathlib import Path

import psutil
import pytest

import models.default
from appliance.client import ClientError
from appliance.core.jobs import JobId
from models.embedded import EMBEDDED_NAME
from models.formats.gguf import read_gguf
from models.store.store import ModelStore
from models.to_gguf.folder import plan_conversion
from tests.conftest import RealDaemon, running_daemon
from tests.faults.live_jobs import TIMEOUT_S, processes_of

FLOATS = "guide-f16"
MANY_KILLS = 60


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the guide's weights in F16."""
    home = tmp_path / "home"
    home.mkdir()
    path = tmp_path / "floats.gguf"
    plan_conversion(Path(models.default.__file__).with_name("guide"), "F16").write(path, lambda done: None)
    list(ModelStore(home).add(path, FLOATS, True, 0.0))
    return home


def quantize(box: RealDaemon, name: str) -> JobId:
    return box.client.submit_job("quantize", {"model": FLOATS, "to": ["Q8_0"], "name": name}).id


def after_news(box: RealDaemon, job_id: JobId, num_news: int) -> str:
    """Wait for so much news of a job, or for its end, and return its state then."""
    *_, job = islice(box.client.follow_job(job_id), num_news)
    return job.state


def check_store(home: Path) -> set[str]:
    """Return the names of all models, after every byte of theirs was compared with what is said of it."""
    store = ModelStore(home)
    found = [manifest for manifest in store.list() if manifest.name != EMBEDDED_NAME]
    for manifest in found:
        for file in manifest.files:
            assert hashlib.sha256(Path(file.path).read_bytes()).hexdigest() == file.sha256
        assert read_gguf(store.opened_path(manifest)).tensors
        assert (manifest.quality is None) == (manifest.name == FLOATS)
    used = {Path(file.path).name for manifest in found for file in manifest.files}
    kept = {path.name for path in (home / "models" / "blobs").iterdir() if not path.name.startswith(".")}
    assert used <= kept
    return {manifest.name for manifest in found}


def kill_daemon_after(home: Path, name: str, num_news: int) -> None:
    """Kill a daemon at some news of the job that the last one left, or else of a new one."""
    with running_daemon(home) as box:
        left = [job.id for job in box.client.jobs() if not job.has_ended]
        after_news(box, left[0] if left else quantize(box, name), num_news)
        box.process.kill()
        box.process.wait()
    (home / "run" / "daemon.json").unlink()  # of the dead one: the next is found by its own


def jobs_end(home: Path) -> None:
    """Let the next daemon do what the killed one left, and check that nothing else is left of it."""
    with running_daemon(home) as box:
        for job in box.client.jobs():
            *_, ended = box.client.follow_job(job.id)
            assert ended.state in ("done", "failed")
        names = check_store(home)
        blobs = {path.name for path in (home / "models" / "blobs").iterdir()}
        assert len(blobs) == len({hash_of for hash_of in blobs if hash_of.startswith("sha256-")})
        assert names == {model.name for model in box.client.models()} - {EMBEDDED_NAME}
        assert not list((home / "run" / "jobs").iterdir())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("num_news", [3, 9])
def test_a_daemon_that_is_killed_while_it_quantizes_leaves_no_half_model(home: Path, num_news: int) -> None:
    kill_daemon_after(home, "small", num_news)
    assert check_store(home) <= {FLOATS, "small"}

    jobs_end(home)

    assert check_store(home) == {FLOATS, "small"}


@pytest.mark.timeout(120)
def test_a_child_that_is_killed_while_it_quantizes_fails_its_job_alone(home: Path) -> None:
    with running_daemon(home) as box:
        job_id = quantize(box, "small")
        after_news(box, job_id, 3)
        for process in processes_of(job_id):
            os.kill(process.pid, signal.SIGKILL)
        *_, ended = box.client.follow_job(job_id)

        assert ended.error is not None and "was killed" in ended.error.message
        assert check_store(home) == {FLOATS}
        with pytest.raises(ClientError, match="small"):
            box.client.model("small")
        psutil.wait_procs(processes_of(job_id), timeout=TIMEOUT_S)
        assert processes_of(job_id) == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_kill_at_any_moment_leaves_half_a_model(home: Path) -> None:
    for number in range(MANY_KILLS):
        kill_daemon_after(home, f"small-{number}", 1 + number % 20)
        assert FLOATS in check_store(home)

    jobs_end(home)
