"""The models of an Ollama on this machine: manifests by registry, namespace, name and tag, and blobs by digest.

Source: Ollama, `types/model/name.go` (the path of a manifest), `server/modelpath.go` (of a blob).
"""

import hashlib
from pathlib import Path

import msgspec

from models.importers.base import ForeignModel, Search, files_below, is_gguf, name_of, read_limited
from models.manifest import ModelPreset, ModelProvenance
from models.names import InvalidModelName, ModelName
from models.sources.base import SourceError
from models.sources.ollama_layers import Layer, Manifest, preset_of, weights_of
from models.sources.reference import OLLAMA_LIBRARY, OllamaReference

_OWN_REGISTRY = "registry.ollama.ai"


def find_ollama(root: Path, search: Search) -> None:
    """Add what the folder `models` of an Ollama holds."""
    for path in files_below(root / "manifests", search):
        parts = path.relative_to(root / "manifests").parts
        if len(parts) == 4 and not any(part.startswith(".") for part in parts):
            found = _model(root, path, *parts)
            if found is not None:
                search.models.append(found)


def _model(root: Path, path: Path, host: str, namespace: str, name: str, tag: str) -> ForeignModel | None:
    """Return the model of one manifest, None where it is no manifest of a model that runs here."""
    content = read_limited(path)
    if content is None:
        return None
    reference = OllamaReference(
        namespace,
        name,
        tag,
        host=None if host == _OWN_REGISTRY else host,
        sha256=hashlib.sha256(content).hexdigest(),
    )
    title = str(OllamaReference(namespace, name, tag, host=reference.host)).removeprefix("ollama:")
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
        if not any(layer.role == "model" for layer in manifest.layers):
            return None  # a model of Ollama's cloud, or of a format of its own
        weights, projector = weights_of(manifest, title)
        texts = {layer: _text(root, layer) for layer in manifest.layers if layer.is_text}
        blob = _blob(root, weights)
        beside = None if projector is None else _blob(root, projector)
    except msgspec.MsgspecError:
        return None
    except SourceError as error:
        return _foreign(title, name_of(name), root, 0, str(error))
    preset, _ = preset_of(texts)
    problem = None if is_gguf(blob) else f"{blob} is not there, cannot be read or is no GGUF file"
    found = _foreign(title, _name(namespace, name, tag), blob, weights.size, problem)
    return msgspec.structs.replace(
        found,
        preset=preset,
        provenance=_provenance(reference, path, preset),
        size_bytes=weights.size + (projector.size if projector else 0),
        projector=str(beside) if beside is not None and is_gguf(beside) else None,
    )


def _provenance(reference: OllamaReference, path: Path, preset: ModelPreset | None) -> ModelProvenance:
    licence = (preset.licence or "").strip().splitlines() if preset else []
    return ModelProvenance(
        kind="ollama",
        reference=str(reference),
        files=(),
        fetched_s=path.stat().st_mtime,
        publisher=None if reference.namespace == OLLAMA_LIBRARY else reference.namespace,
        revision=f"sha256:{reference.sha256}",
        licence=licence[0].strip().lower()[:100] if licence else None,
    )


def _foreign(title: str, name: str, path: Path, size_bytes: int, problem: str | None) -> ForeignModel:
    return ForeignModel(
        program="ollama",
        title=title,
        name=name,
        path=str(path),
        format="gguf",
        size_bytes=size_bytes,
        problem=problem,
    )


def _name(namespace: str, name: str, tag: str) -> str:
    """Return name and tag as they are, with the namespace of whoever published it."""
    publisher = "" if namespace == OLLAMA_LIBRARY else f"{namespace}/"
    try:
        return str(ModelName.parse(f"{publisher}{name}:{tag}"))
    except InvalidModelName:
        return name_of(f"{name}-{tag}")


def _blob(root: Path, layer: Layer) -> Path:
    return root / "blobs" / f"sha256-{layer.sha256}"


def _text(root: Path, layer: Layer) -> str:
    """Return a short layer, empty where it is not what its digest says."""
    content = read_limited(_blob(root, layer)) or b""
    return content.decode("utf-8", "replace") if hashlib.sha256(content).hexdigest() == layer.sha256 else ""
