"""What becomes of what a pull has fetched: a model under its name, or nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from appliance.core.jobs import Job, JobId, JobProgress
from appliance.core.pulls import PulledModel
from appliance.errors import Conflict
from appliance.service.pull_order import KEYS_FILE, FetchedModel
from appliance.service.pulls import Pulls
from models.embedded import EMBEDDED_PATH
from models.fetch.downloads import Downloads
from models.manifest import ModelManifest, ModelPreset, ModelProvenance, ProvenanceFile
from models.store.store import ModelStore
from tests.hubs.server import sha256_of

JOB = Job(id=JobId("job-1"), kind="pull", arguments={}, caller="local", created_s=1.0)


class Care:
    """Remembers which names were renewed, and takes its time to make a model ready."""

    def __init__(self) -> None:
        self.renewed: list[str] = []

    def renew(self, canonical: str) -> None:
        self.renewed.append(canonical)

    async def adopted(self, manifest: ModelManifest) -> AsyncIterator[float]:
        yield 0.5


class Box:
    """A store, and a job that has fetched a file into its folder."""

    def __init__(self, home: Path) -> None:
        self.store, self.care = ModelStore(home), Care()
        self.downloads = Downloads(home / "downloads")
        self.pulls = Pulls(self.store, self.care, self.downloads)  # type: ignore[arg-type]  # a fake
        self.folder = home / "run" / "jobs" / "job-1"
        self.told: list[JobProgress] = []

    def fetch(self, data: bytes, **facts: object) -> FetchedModel:
        """Do as the child does: a file among the downloads, and its second name in the job's folder."""
        with self.downloads.hold("url-1", lambda: None) as kept:
            (kept / "data").write_bytes(data)
            (self.folder / "files").mkdir(parents=True, exist_ok=True)
            target = self.folder / "files" / "heron.gguf"
            target.unlink(missing_ok=True)
            target.hardlink_to(kept / "data")
        (self.folder / KEYS_FILE).write_bytes(msgspec.json.encode(["url-1"]))
        file = ProvenanceFile(name="heron.gguf", url="https://a.example/heron.gguf", sha256=sha256_of(data))
        provenance = ModelProvenance(
            kind="http", reference="https://a.example/heron.gguf", files=(file,), fetched_s=1.0
        )
        fetched = FetchedModel(folder=str(self.folder / "files"), name="heron", provenance=provenance)
        return msgspec.structs.replace(fetched, **facts)

    def keep(self, fetched: FetchedModel) -> PulledModel:
        result = asyncio.run(self.pulls.keep(JOB, msgspec.to_builtins(fetched), self.told.append))
        return msgspec.convert(result, PulledModel)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


DATA = EMBEDDED_PATH.read_bytes()


def test_what_was_fetched_is_a_model_and_no_download_any_more(box: Box) -> None:
    pulled = box.keep(box.fetch(DATA, notes=("Q8_0 of 3",), preset=ModelPreset(system="Be brief.")))
    manifest = box.store.get("heron")
    assert manifest is not None
    assert (manifest.digest, manifest.preset) == (f"sha256:{sha256_of(DATA)}", ModelPreset(system="Be brief."))
    assert (pulled.model, pulled.size_bytes, pulled.notes) == ("heron", len(DATA), ("Q8_0 of 3",))
    assert pulled.note == "'heron' is here; chat with it: appliance run heron"
    assert not (box.downloads.root / "url-1").exists()
    assert [progress.text for progress in box.told] == ["taking it in", "compiling for this processor"]


def test_a_name_that_means_other_files_now_is_renewed_and_one_that_does_not_is_left_alone(box: Box) -> None:
    box.keep(box.fetch(DATA))
    box.keep(box.fetch(DATA))
    assert box.care.renewed == ["heron"]
    box.keep(box.fetch(DATA + b"\0" * 32))
    assert box.care.renewed == ["heron", "heron"]
    assert len(box.store.versions("heron")) == 2


def test_what_cannot_be_kept_stays_fetched(box: Box) -> None:
    with pytest.raises(Conflict):
        box.keep(box.fetch(DATA, name="guide"))
    assert (box.downloads.root / "url-1" / "data").exists()
    assert box.store.get("heron") is None


def test_a_pull_that_was_given_up_leaves_no_download_at_whatever_moment(box: Box, tmp_path: Path) -> None:
    box.pulls.discard(tmp_path / "nothing")
    box.fetch(DATA)
    box.pulls.discard(box.folder)
    assert not (box.downloads.root / "url-1").exists()
