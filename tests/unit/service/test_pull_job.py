"""What a pull checks before it fetches, what it checks after, and what it makes of names."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.child import Reporter
from appliance.core.pulls import PullModel
from appliance.errors import ApplianceError, Conflict, InvalidRequest, SourceFailed
from appliance.service import pull_job
from appliance.service.pull_job import pull
from appliance.service.pull_order import KEYS_FILE, FetchedModel, PullSettings
from models.catalogue.catalogue import Catalogue, Entry, parse_catalogue
from models.catalogue.imported import ImportedCatalogues
from models.embedded import EMBEDDED_PATH
from models.sources.base import RemoteModel, SourceUnavailable
from models.sources.opening import SourceSettings
from tests.pulling import REFERENCE, SHA256, SIZE, Hubs, hubs


@pytest.fixture(scope="module")
def around() -> Iterator[Hubs]:
    with hubs() as around:
        yield around


class Pulling:
    """A job's child process without the process."""

    def __init__(self, home: Path, around: Hubs) -> None:
        self.home = home
        self.folder = home / "run" / "jobs" / "job-1"
        self.folder.mkdir(parents=True)
        self.said = io.BytesIO()
        self.sources = SourceSettings(hugging_face_endpoint=around.hub.url, ollama_registry=around.registry.url)

    def __call__(self, model: str = REFERENCE, *, settings: dict[str, Any] | None = None, **order: Any) -> FetchedModel:
        told = PullSettings(sources=self.sources, **(settings or {}))
        return pull(
            PullModel(model=model, **order), Reporter(self.said, self.home, self.folder, msgspec.json.encode(told))
        )

    @property
    def texts(self) -> list[str]:
        lines = [msgspec.json.decode(line) for line in self.said.getvalue().splitlines()]
        return list(dict.fromkeys(line["text"] for line in lines))


@pytest.fixture
def pulling(tmp_path: Path, around: Hubs) -> Pulling:
    around.hub.storage.requests.clear()
    around.registry.storage.requests.clear()
    return Pulling(tmp_path, around)


def has_fetched(around: Hubs) -> bool:
    return bool(around.hub.storage.requests or around.registry.storage.requests)


def test_what_was_fetched_is_told_with_where_it_is_from(pulling: Pulling) -> None:
    fetched = pulling()
    assert (Path(fetched.folder) / "heron-Q8_0.gguf").stat().st_size == SIZE
    assert (fetched.name, fetched.provenance.files[0].sha256) == ("heron-q8_0", SHA256)
    assert fetched.provenance.licence == "apache-2.0"
    assert msgspec.json.decode((pulling.folder / KEYS_FILE).read_bytes()) == [f"sha256-{SHA256}"]
    assert pulling.texts == ["looking for it", "fetching heron-Q8_0.gguf", "checking what came"]


def test_a_model_of_a_registry_is_called_as_it_is_there_and_brings_what_it_begins_with(pulling: Pulling) -> None:
    fetched = pulling("ollama:heron:1b")
    assert fetched.name == "heron:1b"
    assert fetched.preset is not None
    assert fetched.preset.system == "Be brief."


def test_a_page_of_a_mirror_means_what_it_shows(pulling: Pulling, around: Hubs) -> None:
    page = f"{around.hub.url}/acme/heron-GGUF/blob/main/heron-Q8_0.gguf"
    assert pulling(page).provenance.reference.startswith("hf:acme/heron-GGUF:heron-Q8_0.gguf@")


def test_a_file_of_this_machine_is_pulled_like_any_other(pulling: Pulling, tmp_path: Path) -> None:
    copy = tmp_path / "stick" / "heron.gguf"
    copy.parent.mkdir()
    copy.write_bytes(EMBEDDED_PATH.read_bytes())
    fetched = pulling(str(copy))
    assert (fetched.name, fetched.provenance.kind) == ("heron", "file")


def test_a_licence_that_is_not_allowed_is_refused_before_a_byte_is_fetched(pulling: Pulling, around: Hubs) -> None:
    with pytest.raises(InvalidRequest, match=r"refused: the licence apache-2\.0 is not in models\.allowed_licences"):
        pulling(settings={"allowed_licences": ("mit",)})
    assert not has_fetched(around)


def test_a_licence_that_only_the_file_knows_is_judged_once_it_is_here(pulling: Pulling, around: Hubs) -> None:
    with pytest.raises(InvalidRequest, match="refused: the licence apache"):
        pulling("ollama:heron:1b", settings={"allowed_licences": ("mit",)})
    assert pulling("ollama:heron:1b", settings={"allowed_licences": ("apache-2.0",)}).name == "heron:1b"


def test_a_name_that_is_taken_is_refused_before_a_byte_is_fetched(pulling: Pulling, around: Hubs) -> None:
    with pytest.raises(Conflict, match="is the embedded model"):
        pulling(name="guide")
    assert not has_fetched(around)


def test_a_name_that_imitates_a_brand_is_pointed_out(pulling: Pulling) -> None:
    assert [note for note in pulling(name="claude-opus").notes if "claude" in note]
    assert not [note for note in pulling(name="heron-support").notes if "heron" in note and "code name" in note]


def test_a_full_disk_is_found_before_a_byte_is_fetched(pulling: Pulling, around: Hubs) -> None:
    with pytest.raises(InvalidRequest, match="make room, or choose a smaller quantization"):
        pulling(settings={"min_free_bytes": 2**60})
    assert not has_fetched(around)


def test_a_repository_of_pickles_alone_is_refused(pulling: Pulling, around: Hubs) -> None:
    around.hub.repository("acme/pickled").file("pytorch_model.bin", b"x" * 100).file("config.json", "{}")
    with pytest.raises(ApplianceError, match=r"pickle|program"):
        pulling("hf:acme/pickled")
    assert not has_fetched(around)


def test_a_file_that_is_no_model_is_refused_once_it_is_here(pulling: Pulling, around: Hubs) -> None:
    around.hub.repository("acme/broken-GGUF").file("broken-Q8_0.gguf", b"GGUF" + b"\xff" * 5000)
    with pytest.raises(InvalidRequest):
        pulling("hf:acme/broken-GGUF")


@pytest.mark.parametrize("model", ["hf:acme/nowhere", "ollama:nowhere", "http://127.0.0.1:1/x.gguf", "/nowhere/x.gguf"])
def test_what_is_nowhere_is_said(pulling: Pulling, model: str) -> None:
    with pytest.raises(ApplianceError):
        pulling(model)


def entry(reference: str, sha256: str | None, size_bytes: int) -> Entry:
    stated = f"Q8_0 = {{ size_bytes = {size_bytes}" + (f', sha256 = "{sha256}" }}' if sha256 else " }")
    text = f"""
schema_version = 1
family = "Heron"
publisher = "acme"
[[models]]
name = "heron"
title = "Heron"
num_parameters = 6000000
licence = "apache-2.0"
languages = ["en"]
capabilities = ["chat"]
purposes = ["chat"]
maturity = "new"
judgement = "small"
[[models.sources]]
reference = "{reference}"
format = "gguf"
quantizations = ["Q8_0"]
[models.sources.files]
{stated}
"""
    return parse_catalogue(text.encode())[0]


@pytest.mark.parametrize("reference", ["hf:acme/heron-GGUF", "ollama:heron:1b"])
def test_a_name_of_the_catalogue_is_fetched_from_its_source_under_that_name(
    pulling: Pulling, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    known = Catalogue([entry(reference, SHA256, SIZE)])
    monkeypatch.setattr(ImportedCatalogues, "catalogue", lambda self: known)
    fetched = pulling("heron")
    assert (fetched.name, fetched.provenance.files[0].sha256) == ("heron", SHA256)
    assert pulling("heron:q8_0").name == "heron:q8_0"
    with pytest.raises(SourceFailed, match="did you mean 'heron'"):
        pulling("herron")


def test_a_source_that_has_another_file_than_the_catalogue_promised_is_refused(
    pulling: Pulling, monkeypatch: pytest.MonkeyPatch, around: Hubs
) -> None:
    for promised in (entry("hf:acme/heron-GGUF", "ab" * 32, SIZE), entry("hf:acme/heron-GGUF", None, SIZE + 1)):
        known = Catalogue([promised])
        monkeypatch.setattr(ImportedCatalogues, "catalogue", lambda self, known=known: known)
        with pytest.raises(InvalidRequest, match=r"another 'heron-Q8_0\.gguf' than the catalogue knows"):
            pulling("heron")
    assert not has_fetched(around)


def test_a_source_that_wants_to_be_left_alone_is_said_with_for_how_long(
    pulling: Pulling, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy:
        def resolve(self, reference: str, max_bytes: int | None = None) -> RemoteModel:
            raise SourceUnavailable("the hub asks to be left alone for 60 s", 60.0)

    monkeypatch.setattr(pull_job, "open_source", lambda reference, settings: Busy())
    with pytest.raises(SourceFailed, match="left alone") as caught:
        pulling()
    assert caught.value.retry_after_s == 60.0
