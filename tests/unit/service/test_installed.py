"""Names of models: what callers may write, and what they mean."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from appliance.core.plan import LoadPlan
from appliance.core.request import GenerateRequest, RequestId, TextPrompt
from appliance.core.traits import ModelTask
from appliance.errors import ApplianceError, DoesNotFit, InvalidRequest, ModelNotFound, NotOffered
from appliance.service import adapters
from appliance.service.adapters import adapted_view
from appliance.service.adapting import Adapting
from appliance.service.installed import Installed
from models.embedded import EMBEDDED_PATH
from models.manifest import ModelDetails, ModelManifest
from models.store.store import ModelStore
from tests.fakes import load_plan, loaded_status
from tests.unit.models.loras import BASE_SHAPES, write_base, write_lora


def add(store: ModelStore, name: str) -> None:
    for _ in store.add(EMBEDDED_PATH, name, False, 1.0):
        pass


def asked(model: str) -> GenerateRequest:
    return GenerateRequest(id=RequestId("r"), model=model, prompt=TextPrompt(text="hello"))


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


@pytest.fixture
def adapted(installed: Installed, store: ModelStore, tmp_path: Path) -> Installed:
    """Return the same with two adapters, and two models of which one takes them."""
    for name, shapes in (("base", BASE_SHAPES), ("other", {"token_embd.weight": (24, 8)})):
        for _ in store.add(write_base(tmp_path / f"{name}.gguf", shapes=shapes), name, False, 1.0):
            pass
    for name, alpha in (("tone", 16.0), ("law", 8.0)):
        store.adapters.add(write_lora(tmp_path / f"{name}.gguf", adapter__lora__alpha=alpha), None, False, 2.0)
    return installed


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("base+tone", "base+tone"),
        ("BASE:latest+Tone", "base+tone"),
        ("base+tone,law@Q8_0", "base+law,tone@Q8_0"),
    ],
)
def test_adapters_have_one_canonical_order(adapted: Installed, written: str, meant: str) -> None:
    assert adapted.resolve_adapted(written) == adapted.resolve_for("generate", written) == meant


@pytest.mark.parametrize(
    ("written", "error", "words"),
    [
        ("base+tome", ModelNotFound, "adapter 'tome' not found; did you mean 'tone'"),
        ("base+x", ModelNotFound, "adapters list"),
        ("bass+tone", ModelNotFound, "model 'bass' not found"),
        ("base+tone,law,tone", InvalidRequest, "an adapter twice"),
    ],
)
def test_adapters_that_are_not_there_or_twice_are_refused(
    adapted: Installed, written: str, error: type[ApplianceError], words: str
) -> None:
    with pytest.raises(error, match=words):
        adapted.resolve_for("generate", written)


def test_what_is_done_to_a_model_is_not_done_to_a_name_with_adapters(adapted: Installed, store: ModelStore) -> None:
    for refused in (adapted.resolve, lambda name: adapted.resolve_for("embed", name)):
        with pytest.raises(InvalidRequest, match="about the model itself: 'base'"):
            refused("base+tone")
    with pytest.raises(InvalidRequest, match="about the model itself"):
        Installed(store, lambda model, *_: load_plan(model), "base+tone")


def test_a_request_is_told_its_adapters_and_who_serves_it(adapted: Installed) -> None:
    request = asyncio.run(Adapting(adapted).adapt(asked("base+law,tone@Q8_0")))
    assert (request.model, request.resident) == ("base+law,tone@Q8_0", "base@Q8_0")
    assert [(each.name, each.format, Path(each.path).name) for each in request.adapters] == [
        ("law", "gguf", "law.gguf"),
        ("tone", "gguf", "tone.gguf"),
    ]
    assert request.adapters[0].digest != request.adapters[1].digest
    plain = asked("base")
    assert asyncio.run(Adapting(adapted).adapt(plain)) is plain


def test_an_adapter_that_does_not_fit_is_refused_with_the_matrix(adapted: Installed) -> None:
    with pytest.raises(InvalidRequest, match=r"adapter 'tone' does not fit model 'other': .*no tensor 'blk.0"):
        asyncio.run(Adapting(adapted).adapt(asked("other+tone")))


def test_an_adapter_whose_file_is_away_is_not_said_to_fit_badly(adapted: Installed, tmp_path: Path) -> None:
    (tmp_path / "tone.gguf").rename(tmp_path / "away")
    with pytest.raises(InvalidRequest, match=r"adapter 'tone' cannot be compared with model 'base': .*does not exist"):
        asyncio.run(Adapting(adapted).adapt(asked("base+tone")))


def test_pairs_that_fit_are_listed_up_to_a_limit_and_aliases_are_not(
    adapted: Installed, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.alias("base", "nickname", 3.0)
    adapted.refresh()

    def listed() -> list[tuple[str, str]]:
        return [(model.name, adapter.name) for model, adapter in adapted.adapters.usable(adapted.manifests())]

    assert listed() == [("base", "law"), ("base", "tone")]
    assert adapted.resolve_adapted("nickname+tone") == "nickname+tone"
    monkeypatch.setattr(adapters, "MAX_LISTED", 1)
    assert listed() == [("base", "law")]


def test_a_name_with_adapters_has_content_of_its_own(adapted: Installed) -> None:
    base, tone = adapted.view("base", {}), adapted.adapters.get("tone")
    view = adapted_view(base, "base+tone", [tone])
    assert (view.name, view.size_bytes, view.added_s) == ("base+tone", base.size_bytes + tone.size_bytes, 2.0)
    assert view.digest not in (base.digest, tone.digest)
    assert adapted_view(base, "base", []) is base


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


@pytest.fixture
def hearing(store: ModelStore, tmp_path: Path) -> Installed:
    """Return a box with two models that turn speech into text."""
    with_speech = SpeechStore(tmp_path, ("whisper-tiny", "whisper-small"))
    return Installed(with_speech, lambda model, manifest, variant: load_plan(model), "guide")


class SpeechStore(ModelStore):
    """A store in which models of these names turn speech into text, whatever their files are."""

    def __init__(self, root: Path, names: tuple[str, ...]) -> None:
        super().__init__(root)
        self.names = names
        for name in names:
            add(self, name)

    def list(self) -> list[ModelManifest]:
        hears = ModelDetails(is_transcriber=True)
        found = super().list()
        return [msgspec.structs.replace(each, details=hears) if each.name in self.names else each for each in found]


def test_a_hosted_name_means_the_only_model_of_speech_or_the_default_one(hearing: Installed) -> None:
    hosted = frozenset({"whisper-1"})
    assert hearing.listener("whisper-tiny", hosted) == "whisper-tiny"
    with pytest.raises(InvalidRequest, match="name one of whisper-small, whisper-tiny"):
        hearing.listener("whisper-1", hosted)
    with pytest.raises(InvalidRequest, match="generates text"):
        hearing.listener("guide", hosted)
    with pytest.raises(ModelNotFound):
        hearing.listener("whisper-2", hosted)
    hearing.default_model = "whisper-small"
    assert {hearing.listener(name, hosted) for name in ("whisper-1", None, "")} == {"whisper-small"}


def test_without_any_such_model_it_is_said_how_to_get_one(installed: Installed) -> None:
    with pytest.raises(NotOffered, match="appliance pull whisper-base"):
        installed.listener("whisper-1", frozenset())
