"""Models of other programs, in the layouts in which those keep them: found, named, and taken over where they lie."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import StoreError
from models.finding.found import Origin
from models.importers.base import MAX_JSON_BYTES, ForeignModel, Search
from models.importers.everywhere import find_everywhere
from models.importers.ollama import find_ollama
from models.manifest import ModelManifest, PresetMessage
from models.store.store import ModelStore
from tests.tiny_media import write_model as write_media_model
from tests.tiny_media import write_projector
from tests.unit.models.store.test_store import write_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def put(path: Path, content: bytes | str = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def gguf(path: Path, number: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_model(path, number)


def blob(root: Path, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    put(root / "blobs" / f"sha256-{digest}", content)
    return f"sha256:{digest}"


def ollama_model(root: Path, where: str, layers: Mapping[str, bytes]) -> Path:
    """Write a manifest as Ollama does, `where` being registry, namespace, name and tag."""
    said = [
        {
            "mediaType": f"application/vnd.ollama.image.{role}",
            "digest": blob(root, content),
            "size": len(content),
        }
        for role, content in layers.items()
    ]
    return put(root / "manifests" / where, json.dumps({"schemaVersion": 2, "layers": said}))


def weights(tmp_path: Path, number: float = 1.0) -> bytes:
    return gguf(tmp_path / f"weights-{number}.gguf", number).read_bytes()


def hub_file(root: Path, repository: str, name: str, content: bytes, commit: str = COMMIT) -> Path:
    """Put a file into a cache of Hugging Face: among the blobs by its digest, with a link under its name."""
    folder = root / f"models--{repository.replace('/', '--')}"
    kept = put(folder / "blobs" / hashlib.sha256(content).hexdigest(), content)
    link = folder / "snapshots" / commit / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(kept, link.parent))
    put(folder / "refs" / "main", commit)
    return link


def adopt(store: ModelStore, found: ForeignModel) -> ModelManifest:
    origin = Origin(found.preset, found.provenance, projector=found.projector)
    steps = store.add(Path(found.path), found.name, False, 5.0, origin)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            manifest: ModelManifest = stop.value
            return manifest


def only(search: Search) -> ForeignModel:
    (found,) = search.models
    return found


def test_a_model_of_ollama_comes_with_its_name_and_its_beginning(tmp_path: Path) -> None:
    root = tmp_path / "ollama"
    layers = {
        "model": weights(tmp_path),
        "template": b"{{ .Prompt }}",
        "system": b"Be brief.",
        "params": json.dumps({"temperature": 0.5, "stop": ["<|end|>"], "num_ctx": 9}).encode(),
        "license": b"Apache License\nVersion 2.0",
        "messages": json.dumps([{"role": "user", "content": "Hi"}]).encode(),
    }
    manifest = ollama_model(root, "registry.ollama.ai/library/qwen3/0.6b", layers)
    found = only(find_everywhere({"ollama": [root]}))
    assert (found.title, found.name, found.problem) == ("qwen3:0.6b", "qwen3:0.6b", None)
    assert found.size_bytes == len(layers["model"])
    assert found.preset is not None
    assert (found.preset.system, found.preset.messages) == ("Be brief.", (PresetMessage(role="user", content="Hi"),))
    assert found.preset.parameters == {"temperature": 0.5, "stop": ["<|end|>"]}
    made = adopt(ModelStore(tmp_path / "home"), found)
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert (made.name, made.tag, made.preset, made.files[0].role) == ("qwen3", "0.6b", found.preset, "adopted")
    assert made.provenance is not None
    assert made.provenance.reference == f"ollama:qwen3:0.6b@sha256:{digest}"
    assert (made.provenance.licence, made.provenance.files[0].is_stated) == ("apache license", True)


@pytest.mark.parametrize(
    ("where", "title", "name"),
    [
        ("registry.ollama.ai/library/llama3/latest", "llama3:latest", "llama3"),
        ("registry.ollama.ai/alice/tiny/v1", "alice/tiny:v1", "alice/tiny:v1"),
        ("hf.co/acme/Tiny-GGUF/Q4_K_M", "hf.co/acme/Tiny-GGUF:Q4_K_M", "acme/tiny-gguf:q4_k_m"),
    ],
)
def test_ollamas_names_stay_what_they_are(tmp_path: Path, where: str, title: str, name: str) -> None:
    ollama_model(tmp_path / "o", where, {"model": weights(tmp_path)})
    found = only(find_everywhere({"ollama": [tmp_path / "o"]}))
    assert (found.title, found.name) == (title, name)


def test_what_ollama_cannot_give_says_why(tmp_path: Path) -> None:
    root = tmp_path / "o"
    ollama_model(root, "registry.ollama.ai/library/tuned/latest", {"model": weights(tmp_path), "adapter": b"x"})
    gone = ollama_model(root, "registry.ollama.ai/library/gone/latest", {"model": weights(tmp_path, 2.0)})
    digest = json.loads(gone.read_text())["layers"][0]["digest"]
    (root / "blobs" / digest.replace(":", "-")).unlink()
    ollama_model(root, "registry.ollama.ai/library/cloud/latest", {"system": b"no weights"})
    problems = {found.title: found.problem for found in find_everywhere({"ollama": [root]}).models}
    assert set(problems) == {"tuned:latest", "gone:latest"}
    assert "LoRA adapter" in (problems["tuned:latest"] or "")
    assert "is not there" in (problems["gone:latest"] or "")


def test_a_damaged_blob_is_not_taken_over(tmp_path: Path) -> None:
    root = tmp_path / "o"
    ollama_model(root, "registry.ollama.ai/library/tiny/latest", {"model": weights(tmp_path)})
    found = only(find_everywhere({"ollama": [root]}))
    with Path(found.path).open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\x7f")
    with pytest.raises(StoreError, match="is damaged: it is named by the digest"):
        adopt(ModelStore(tmp_path / "home"), found)


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_no_manifest_does_more_than_be_left_out(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    root = tmp_path_factory.mktemp("o")
    put(root / "manifests" / "registry.ollama.ai" / "library" / "x" / "latest", content)
    search = Search(models=[], notes=[])
    find_ollama(root, search)
    assert all(found.problem for found in search.models)


@pytest.mark.parametrize("digest", ["sha256:../../etc/passwd", "sha256:" + "0" * 63, "md5:00", ""])
def test_a_digest_in_a_manifest_leads_nowhere_else(tmp_path: Path, digest: str) -> None:
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": 1}
    put(tmp_path / "manifests" / "r" / "n" / "x" / "t", json.dumps({"layers": [layer]}))
    assert "no digest" in (only(find_everywhere({"ollama": [tmp_path]})).problem or "")


def test_lm_studio_keeps_files_by_publisher_and_repository(tmp_path: Path) -> None:
    root = tmp_path / "lm"
    gguf(root / "acme" / "Tiny-GGUF" / "Tiny-Q8_0.gguf")
    gguf(root / "acme" / "Tiny-GGUF" / "mmproj-Tiny.gguf")
    for number in (1, 2):
        gguf(root / "acme" / "Big-GGUF" / f"Big-0000{number}-of-00002.gguf", number)
    put(root / "acme" / "Half-GGUF" / "Half-00001-of-00002.gguf", b"GGUF")
    put(root / "acme" / "No-GGUF" / "no.gguf", b"<html>")
    models = {found.name: found for found in find_everywhere({"lm_studio": [root]}).models}
    assert set(models) == {"big", "half", "no", "tiny-q8_0"}
    assert models["tiny-q8_0"].title == "acme/Tiny-GGUF/Tiny-Q8_0.gguf"
    assert models["half"].problem == "it is not whole: Half-00002-of-00002.gguf is missing"
    assert "no GGUF" in (models["no"].problem or "")
    assert len(adopt(ModelStore(tmp_path / "home"), models["big"]).files) == 2


def test_a_cache_of_hugging_face_gives_repository_and_commit(tmp_path: Path) -> None:
    root = tmp_path / "hub"
    link = hub_file(root, "acme/Tiny-GGUF", "q8/tiny-q8_0.gguf", weights(tmp_path))
    found = only(find_everywhere({"hugging_face": [root]}))
    assert (found.title, found.name) == ("acme/Tiny-GGUF/q8/tiny-q8_0.gguf", "tiny-q8_0")
    made = adopt(ModelStore(tmp_path / "home"), found)
    assert made.provenance is not None
    assert made.provenance.reference == f"hf:acme/Tiny-GGUF:q8/tiny-q8_0.gguf@{COMMIT}"
    assert (made.provenance.revision, made.provenance.publisher) == (COMMIT, "acme")
    assert made.files[0].path == str(link.resolve())


def test_the_parts_in_a_cache_are_opened_by_the_names_of_its_links(tmp_path: Path) -> None:
    root, store = tmp_path / "hub", ModelStore(tmp_path / "home")
    for number in (1, 2):
        hub_file(root, "acme/big", f"big-0000{number}-of-00002.gguf", weights(tmp_path, number))
    made = adopt(store, only(find_everywhere({"hugging_face": [root]})))
    opened = store.opened_path(made)
    assert opened.name == "big-00001-of-00002.gguf"
    assert (opened.parent / "big-00002-of-00002.gguf").is_file()
    assert store.check_integrity() == []


def test_a_repository_of_pickles_says_so_and_one_half_fetched_too(tmp_path: Path) -> None:
    root = tmp_path / "hub"
    hub_file(root, "acme/old", "pytorch_model.bin", b"\x80\x02")
    hub_file(root, "acme/bare", "model.safetensors", b"x")
    hub_file(root, "acme/bare", "config.json", b"{}")
    put(root / "models--acme--empty" / "refs" / "main", COMMIT)
    put(root / "datasets--acme--data" / "refs" / "main", COMMIT)
    problems = {found.title: found.problem or "" for found in find_everywhere({"hugging_face": [root]}).models}
    assert set(problems) == {"acme/bare", "acme/old"}
    assert "pickles" in problems["acme/old"]
    assert "tokenizer.json" in problems["acme/bare"]


@pytest.mark.parametrize(
    ("url", "reference"),
    [
        (
            "https://huggingface.co/acme/Tiny/resolve/main/tiny.gguf",
            "hf:acme/Tiny:tiny.gguf@main",
        ),
        ("https://models.example/tiny.gguf?token=secret", "https://models.example/tiny.gguf"),
        ("no address", None),
        (7, None),
    ],
)
def test_llama_cpps_notes_say_where_a_file_is_from(tmp_path: Path, url: Any, reference: str | None) -> None:
    path = gguf(tmp_path / "acme_Tiny_tiny.gguf")
    put(path.with_name(path.name + ".json"), json.dumps({"url": url, "etag": "x"}))
    found = only(find_everywhere({"llama_cpp": [tmp_path]}))
    assert (found.provenance.reference if found.provenance else None) == reference


def test_two_models_of_one_name_get_names_of_their_own(tmp_path: Path) -> None:
    gguf(tmp_path / "lm" / "a" / "x" / "tiny.gguf")
    gguf(tmp_path / "cache" / "tiny.gguf")
    hub_file(tmp_path / "hub", "acme/t", "tiny.gguf", weights(tmp_path))
    roots: Any = {"lm_studio": [tmp_path / "lm"], "hugging_face": [tmp_path / "hub"], "llama_cpp": [tmp_path / "cache"]}
    assert [found.name for found in find_everywhere(roots).models] == ["tiny", "acme/tiny", "llama_cpp/tiny"]


def test_what_is_not_there_or_closed_to_us_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_everywhere({"ollama": [tmp_path / "absent"], "hugging_face": [tmp_path / "absent"]}) == Search(
        models=[], notes=[]
    )

    def closed(path: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("models.importers.base.os.scandir", closed)
    assert find_everywhere({"lm_studio": [tmp_path]}).notes == [f"{tmp_path} cannot be read: Permission denied"]


def test_nothing_of_the_other_program_is_changed(tmp_path: Path) -> None:
    root = tmp_path / "o"
    ollama_model(root, "registry.ollama.ai/library/tiny/latest", {"model": weights(tmp_path), "system": b"Hi"})
    before = {path: path.stat() for path in sorted(root.rglob("*"))}
    store = ModelStore(tmp_path / "home")
    adopt(store, only(find_everywhere({"ollama": [root]})))
    store.remove("tiny")
    after = {path: path.stat() for path in sorted(root.rglob("*"))}
    assert {path: (s.st_size, s.st_mtime_ns) for path, s in before.items()} == {
        path: (s.st_size, s.st_mtime_ns) for path, s in after.items()
    }


def test_links_to_folders_and_endless_files_are_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "lm"
    gguf(root / "a" / "x" / "tiny.gguf")
    (root / "a" / "loop").symlink_to(root)
    path = root / "a" / "x" / "tiny.gguf.json"
    put(path, b" " * (MAX_JSON_BYTES + 1))
    assert len(find_everywhere({"lm_studio": [root]}).models) == 1
    assert find_everywhere({"llama_cpp": [root]}).models[0].provenance is None


def test_a_projector_is_taken_over_with_its_model(tmp_path: Path) -> None:
    write_media_model(tmp_path / "tiny-F16.gguf")
    write_projector(tmp_path / "eyes.gguf")
    model, projector = (tmp_path / "tiny-F16.gguf").read_bytes(), (tmp_path / "eyes.gguf").read_bytes()
    ollama, studio, cache = tmp_path / "ollama", tmp_path / "studio", tmp_path / "cache"
    ollama_model(ollama, "registry.ollama.ai/library/sees/latest", {"model": model, "projector": projector})
    put(studio / "acme" / "tiny-GGUF" / "tiny-Q8_0.gguf", model)
    put(studio / "acme" / "tiny-GGUF" / "mmproj-F16.gguf", projector)
    hub_file(cache, "acme/seer-GGUF", "seer-Q8_0.gguf", model)
    hub_file(cache, "acme/seer-GGUF", "mmproj-seer-F16.gguf", projector)
    found = find_everywhere({"ollama": [ollama], "lm_studio": [studio], "hugging_face": [cache]})
    store = ModelStore(tmp_path / "home")
    assert [adopt(store, each).details.media for each in found.models] == [("image",)] * 3
    assert found.models[0].size_bytes == len(model) + len(projector)
