"""Which installed models are forms of another one: what was made of it here, and what that cost."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.service.forms import Forms
from models.embedded import EMBEDDED_PATH
from models.finding.found import Origin
from models.manifest import ModelManifest, ModelQuality
from models.names import ModelName
from models.store.layout import Layout
from models.store.manifests import key_of
from models.store.store import ModelStore

SOURCE = "sha256:" + "1" * 64


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path)


def install(
    root: Path, name: str, made_of: str | None, quality: ModelQuality | None, quantization: str = "Q8_0"
) -> ModelManifest:
    """Put a model into the store as a job that made it would have left it."""
    path = root / f"{name}.gguf"
    path.write_bytes(EMBEDDED_PATH.read_bytes() + name.encode())
    for _ in (store := ModelStore(root)).add(path, name, False, 1.0, Origin(made_of=made_of)):
        pass
    manifest = store.get(name)
    assert manifest is not None
    assert manifest.made_of == made_of
    manifest = replace(manifest, quality=quality, details=replace(manifest.details, quantization=quantization))
    Layout(root).manifests.write(key_of(ModelName.parse(name)), manifest)
    return manifest


def lost(loss_ratio: float) -> ModelQuality:
    return ModelQuality(num_samples=1, loss_ratio=loss_ratio)


def test_a_model_that_nothing_was_made_of_has_one_form(tmp_path: Path, store: ModelStore) -> None:
    mine = install(tmp_path, "mine", None, None)
    (form,) = Forms(store).of("mine", mine)
    assert (form.model, form.artefact.digest, form.loss_ratio) == ("mine", mine.digest, 0.0)
    assert Path(form.artefact.compiled_path) == store.compiled_path(mine)


def test_what_was_made_of_a_model_is_a_form_of_it_with_what_it_lost(tmp_path: Path, store: ModelStore) -> None:
    source = install(tmp_path, "source", None, None, "F16")
    install(tmp_path, "small", source.digest, lost(0.03))
    install(tmp_path, "unknown", source.digest, None)
    install(tmp_path, "converted", source.digest, None, "F16")
    install(tmp_path, "stranger", SOURCE, lost(0.0))
    forms = Forms(store).of("source", source)
    assert [
        (form.model, form.loss_ratio if form.loss_ratio is None else round(form.loss_ratio, 6)) for form in forms
    ] == [
        ("source", 0.0),
        ("converted", 0.0),
        ("small", 0.03),
        ("unknown", None),
    ]


def test_losses_of_several_steps_add_up(tmp_path: Path, store: ModelStore) -> None:
    source = install(tmp_path, "source", None, None, "F16")
    middle = install(tmp_path, "middle", source.digest, lost(0.1))
    install(tmp_path, "least", middle.digest, lost(0.2), "Q4_0")
    forms = {form.model: form.loss_ratio for form in Forms(store).of("source", source)}
    assert forms["least"] == pytest.approx(0.32)
    assert [form.model for form in Forms(store).of("middle", middle)] == ["middle", "least"]


def test_two_names_of_the_same_files_are_one_form_and_no_circle_is_followed(tmp_path: Path, store: ModelStore) -> None:
    source = install(tmp_path, "source", None, None)
    small = install(tmp_path, "small", source.digest, lost(0.01))
    store.alias("small", "again", 2.0)
    Layout(tmp_path).manifests.write(key_of(ModelName.parse("source")), replace(source, made_of=small.digest))
    assert len(Forms(store).of("source", source)) == 2


def test_a_file_that_is_gone_or_changed_is_no_form(tmp_path: Path, store: ModelStore) -> None:
    source = install(tmp_path, "source", None, None)
    install(tmp_path, "small", source.digest, lost(0.01))
    (tmp_path / "small.gguf").write_bytes(b"other")
    assert [form.model for form in Forms(store).of("source", source)] == ["source"]


def test_a_manifest_of_an_earlier_version_says_of_nothing_what_it_was_made_of(tmp_path: Path) -> None:
    install(tmp_path, "mine", None, None)
    (path,) = (tmp_path / "models" / "manifests").glob("mine*.json")
    text = path.read_text()
    assert '"made_of"' in text
    path.write_text("\n".join(line for line in text.splitlines() if '"made_of"' not in line))
    manifest = ModelStore(tmp_path).get("mine")
    assert manifest is not None
    assert manifest.made_of is None
