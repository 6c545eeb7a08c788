"""Models that read more than text: what they say of themselves, and who is refused before anything is loaded."""

from pathlib import Path

import pytest

from appliance.core.request import MediaKind
from appliance.errors import InvalidRequest
from appliance.service.installed import Installed
from models.finding.found import Origin
from models.store.store import ModelStore
from tests.fakes import load_plan
from tests.tiny_media import write_model, write_projector

SEES: frozenset[MediaKind] = frozenset({"image"})


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    store = ModelStore(tmp_path / "home")
    write_model(tmp_path / "tiny.gguf")
    write_projector(tmp_path / "mmproj-tiny.gguf")
    for name, projector in (("sees", None), ("blind", "none")):
        for _ in store.add(tmp_path / "tiny.gguf", name, False, 1.0, Origin(projector=projector)):
            pass
    return store


@pytest.fixture
def installed(store: ModelStore) -> Installed:
    return Installed(store, lambda *asked: load_plan(asked[0]), "guide")


def test_a_model_says_what_it_reads(installed: Installed) -> None:
    assert installed.view("sees", {}).capabilities == ("completion", "chat", "vision")
    assert installed.view("blind", {}).capabilities == ("completion", "chat")


def test_its_projector_is_named_to_the_worker_and_part_of_what_it_is_made_of(installed: Installed) -> None:
    assert installed.artefact("sees").projector_path.endswith("mmproj-tiny.gguf")
    assert installed.artefact("blind").projector_path == ""
    assert installed.content("sees") != installed.content("blind")


def test_what_a_model_cannot_read_is_refused_with_the_model_that_can(installed: Installed) -> None:
    installed.check_media("sees", SEES)
    with pytest.raises(
        InvalidRequest, match=r"'blind' cannot see, and the request holds a picture; sees can"
    ) as caught:
        installed.check_media("blind", SEES)
    assert caught.value.param == "model"
    with pytest.raises(InvalidRequest, match=r"'sees' cannot hear.* recording; no model that is installed can"):
        installed.check_media("sees", SEES | {"audio"})
