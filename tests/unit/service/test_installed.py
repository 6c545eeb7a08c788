"""Names of models: what callers may write, and what they mean."""

from pathlib import Path

import msgspec
import pytest

from appliance.core.plan import LoadPlan
from appliance.core.traits import ModelTask
from appliance.errors import DoesNotFit, InvalidRequest, ModelNotFound
from appliance.service.installed import Installed
from models.embedded import EMBEDDED_PATH
from models.manifest import ModelDetails, ModelManifest
from models.store.store import ModelStore
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


@pytest.mark.parametrize(
    ("details", "capabilities", "refused"),
    [
        (ModelDetails(has_chat_template=True), ("completion", "chat"), ("embed", "score")),
        (ModelDetails(is_embedding=True), ("embeddings",), ("generate",)),
        (ModelDetails(num_labels=1), ("rerank",), ("generate", "embed")),
        (ModelDetails(num_labels=3), (), ("generate", "embed")),
    ],
)
def test_a_model_is_asked_only_for_what_it_is_for(
    store: ModelStore,
    tmp_path: Path,
    details: ModelDetails,
    capabilities: tuple[str, ...],
    refused: tuple[ModelTask, ...],
) -> None:
    manifest = msgspec.structs.replace(store.get("guide"), details=details)

    class OneModel(ModelStore):
        def list(self) -> tuple[ModelManifest, ...]:
            return (manifest,)

    installed = Installed(OneModel(tmp_path), lambda model, *_: load_plan(model), "guide")
    assert installed.view("guide", {}).capabilities == capabilities
    for task in ("generate", "embed", "score"):
        if task in refused:
            with pytest.raises(InvalidRequest, match="use POST /v1/"):
                installed.resolve_for(task, None)
        else:
            assert installed.resolve_for(task, None) == "guide"
