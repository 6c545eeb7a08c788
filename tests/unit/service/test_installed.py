"""Names of models: what callers may write, and what they mean."""

from pathlib import Path

import pytest

from appliance.core.plan import LoadPlan
from appliance.errors import DoesNotFit, InvalidRequest, ModelNotFound
from appliance.service.installed import Installed
from models.embedded import EMBEDDED_PATH
from models.manifest import ModelManifest
from models.store import ModelStore
from tests.fakes import load_plan, loaded_status


def add(store: ModelStore, name: str) -> None:
    for _ in store.add(EMBEDDED_PATH, name, False, 1.0):
        pass


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    store = ModelStore(tmp_path)
    add(store, "acme/qwen3:stable")
    return store


@pytest.fixture
def installed(store: ModelStore) -> Installed:
    return Installed(store, lambda model, manifest, variant: load_plan(f"{model}|{variant}"), "guide")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (None, "guide"),
        ("", "guide"),
        ("guide", "guide"),
        ("GUIDE:Latest", "guide"),
        ("acme/Qwen3:stable", "acme/qwen3:stable"),
        ("guide@Q4_K_M", "guide@Q4_K_M"),
    ],
)
def test_a_name_has_one_canonical_form(installed: Installed, written: str | None, meant: str) -> None:
    assert installed.resolve(written) == meant


@pytest.mark.parametrize("written", ["giude", "acme/qwen3", "a b", "../keys", "x" * 300, "guide:other"])
def test_an_unknown_name_is_refused(installed: Installed, written: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        installed.resolve(written)
    assert caught.value.param == "model"


def test_the_nearest_name_is_offered(installed: Installed) -> None:
    with pytest.raises(ModelNotFound, match="did you mean 'guide'"):
        installed.resolve("giude")


def test_an_adapter_is_refused_and_not_ignored(installed: Installed) -> None:
    with pytest.raises(InvalidRequest, match="adapters"):
        installed.resolve("guide+law")


def test_a_variant_reaches_the_planner(installed: Installed) -> None:
    assert installed.plan("guide@Q8_0").model == "guide@Q8_0|Q8_0"
    assert installed.plan("guide").model == "guide|None"


def test_a_model_added_later_is_found(installed: Installed, store: ModelStore) -> None:
    add(store, "late")
    assert installed.resolve("late") == "late"


def test_views_show_what_runs_and_what_would(installed: Installed) -> None:
    guide, qwen = installed.views({"guide": loaded_status("guide")})
    assert (guide.name, guide.state, guide.context_tokens, guide.is_default) == ("guide", "ready", 1024, True)
    assert (qwen.name, qwen.state, qwen.context_tokens, qwen.is_default) == (
        "acme/qwen3:stable",
        "stopped",
        2048,
        False,
    )
    assert qwen.reasons == ("chosen by a test",)


def test_a_model_that_cannot_run_here_is_shown_with_the_reason(store: ModelStore) -> None:
    def refuse(model: str, manifest: ModelManifest, variant: str | None) -> LoadPlan:
        raise DoesNotFit("needs 5.1 GiB")

    view = Installed(store, refuse, "guide").view("guide", {})
    assert (view.context_tokens, view.estimated_bytes, view.reasons) == (None, None, ("needs 5.1 GiB",))
