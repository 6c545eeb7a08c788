"""Pulls whose daemon or child is killed at any moment: the model is whole or not there, and what came is not lost."""

import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from ollama import Client

from appliance.core.pulls import PullModel
from models.store.store import ModelStore
from tests.job_child import ENVIRONMENT
from tests.pulling import NAME, REFERENCE, SHA256, SIZE, Hubs, blobs, downloads, hubs, pulling_daemon

LONGEST_LIFE_S = 2.5


@pytest.fixture(scope="module")
def around() -> Iterator[Hubs]:
    with hubs() as around:
        yield around


@pytest.fixture(autouse=True)
def mended(around: Hubs) -> Iterator[None]:
    yield
    around.hub.faults.mend()


class Killer:
    """Runs small daemons on one home, and kills each, or its child, at a moment of its life."""

    def __init__(self, home: Path, around: Hubs) -> None:
        self.home = home
        self.num_kills = self.num_models = 0
        self._command = [sys.executable, "-m", "tests.faults.pull_daemon", str(home), around.hub.url, REFERENCE]

    def live(self, life_s: float | None, *, kills_child: bool = False) -> str | None:
        """Let a daemon live so long and return how its job ended; None where it was killed before."""
        daemon = subprocess.Popen(self._command, stdout=subprocess.PIPE, env=ENVIRONMENT, text=True)
        assert daemon.stdout is not None
        with daemon:
            assert daemon.stdout.readline() == "started\n"
            try:
                daemon.wait(life_s)
            except subprocess.TimeoutExpired:
                self.num_kills += 1
                if not kills_child or not self._kill_child(daemon.pid):
                    daemon.kill()
            return daemon.stdout.read().strip() or None

    def _kill_child(self, pid: int) -> bool:
        children = psutil.Process(pid).children()
        for child in children:
            child.kill()
        return bool(children)

    def check(self) -> None:
        """Find each model that is here whole, and nothing that is half of one."""
        store = ModelStore(self.home)
        for manifest in store.list()[1:]:
            assert (manifest.name, manifest.digest) == (NAME, f"sha256:{SHA256}")
            assert store.check_integrity() == []
            assert store.changed_files(manifest) == []
        assert all(name.startswith((f"sha256-{SHA256}", ".")) for name in blobs(self.home))

    def finish(self) -> None:
        """Let the last daemon end in peace, and find nothing but the model."""
        assert self.live(None) == "done"
        self.check()
        assert ModelStore(self.home).get(NAME) is not None
        assert blobs(self.home) == [f"sha256-{SHA256}"]
        assert downloads(self.home) == []
        assert list((self.home / "run" / "jobs").iterdir()) == []
        self.num_models += 1
        shutil.rmtree(self.home)


def kill_often(home: Path, around: Hubs, num_kills: int, seed: int) -> None:
    around.hub.faults.slow(3_000_000)
    chance, killer = random.Random(seed), Killer(home, around)
    while killer.num_kills < num_kills:
        ended = killer.live(chance.uniform(0.0, LONGEST_LIFE_S), kills_child=chance.random() < 0.3)
        assert ended is None or ended == "done" or "was killed (SIGKILL" in ended, ended
        killer.check()
        if ended == "done":
            killer.finish()
    killer.finish()
    print(f"{killer.num_kills} kills, {killer.num_models} models pulled")


def test_however_a_pull_is_killed_there_is_a_whole_model_in_the_end_and_never_half_a_one(
    tmp_path: Path, around: Hubs
) -> None:
    kill_often(tmp_path / "home", around, num_kills=8, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_hundred_kills_cost_no_model(tmp_path: Path, around: Hubs) -> None:
    kill_often(tmp_path / "home", around, num_kills=200, seed=2)


def test_a_daemon_that_was_killed_goes_on_where_its_download_stopped_and_the_model_talks(
    tmp_path: Path, around: Hubs
) -> None:
    home = tmp_path / "home"
    around.hub.faults.slow(300_000)
    with pulling_daemon(home, around) as daemon:
        job = daemon.client.pull_model(PullModel(model=REFERENCE))
        daemon.wait_until(lambda: daemon.client.job(job.id).progress.done > 3_000_000)
        daemon.wait_until(lambda: any(b"[[" in (each / "state.json").read_bytes() for each in downloads(home)))
        daemon.process.kill()
        daemon.process.wait()
    around.hub.faults.mend()
    around.hub.storage.requests.clear()
    with pulling_daemon(home, around) as daemon:
        ended = list(daemon.client.follow_job(job.id))[-1]
        assert (ended.state, ended.num_interruptions) == ("done", 1)
        asked = [seen.range for seen in around.hub.storage.requests if seen.range and seen.range != "bytes=0-0"]
        bounds = [text.removeprefix("bytes=").split("-") for text in asked]
        assert sum(int(last) - int(first) + 1 for first, last in bounds) < SIZE - 1_000_000
        with Client(daemon.url, trust_env=False, timeout=60) as client:
            assert client.chat(NAME, [{"role": "user", "content": "Hi"}], options={"num_predict": 3}).message.content


def test_a_pull_that_rested_until_the_server_had_given_it_up_goes_on_where_it_was(tmp_path: Path, around: Hubs) -> None:
    around.hub.faults.slow(300_000)
    with pulling_daemon(tmp_path / "home", around) as daemon:
        job = daemon.client.pull_model(PullModel(model=REFERENCE))
        daemon.wait_until(lambda: daemon.client.job(job.id).progress.done > 2_000_000)
        assert daemon.client.pause_job(job.id).state == "paused"
        around.hub.faults.mend()
        for server in (around.hub, around.hub.storage):
            for line in list(server._connections):
                line.shutdown(socket.SHUT_RDWR)
        around.hub.storage.requests.clear()
        assert daemon.client.resume_job(job.id).state == "running"
        assert list(daemon.client.follow_job(job.id))[-1].state == "done"
        bounds = [seen.range.removeprefix("bytes=").split("-") for seen in around.hub.storage.requests if seen.range]
        assert 0 < sum(int(last) - int(first) + 1 for first, last in bounds) < SIZE - 1_000_000
