"""The LoRA adapters of this machine: which there are, taking one in, giving one up, and which models they fit."""

import builtins
import re
from collections.abc import Mapping
from pathlib import Path

from models.errors import NameTaken, StoreError, UnknownModel, file_errors
from models.finding.found import FoundFile
from models.formats.gguf import GGUFError, read_gguf
from models.formats.lora import CONFIG_FILE, WEIGHTS_FILE, Lora, LoraError, Shape, read_gguf_lora, read_peft_lora
from models.formats.safetensors import SafetensorsError
from models.formats.safetensors_files import read_tensors, weight_files
from models.manifest import AdapterDetails, AdapterManifest, ModelManifest
from models.names import InvalidModelName, name_from_stem
from models.store.adapter_fit import misfits
from models.store.intake import Intake, digest_of
from models.store.layout import Layout

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


class Adapters:
    """Owns `models/adapters/`; the files are kept as those of models are."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def list(self) -> builtins.list[AdapterManifest]:
        """Return the adapters by name."""
        return self._layout.adapters.read_all()[0]

    def get(self, name: str) -> AdapterManifest:
        """Return one adapter. Raises: UnknownModel."""
        found = self._layout.adapters.get(name.lower()) if _NAME.fullmatch(name.lower()) else None
        if found is None:
            raise UnknownModel(f"no adapter is called {name!r}; see: appliance models adapters list")
        return found

    def add(
        self, path: Path, name: str | None, copy: bool, now_s: float, base: ModelManifest | None = None
    ) -> AdapterManifest:
        """Take an adapter in: a GGUF file, or a folder as PEFT writes it. With `base`, it must fit that model.

        Raises: StoreError, InvalidModelName.
        """
        lora, files = _find(path)
        parsed = _checked_name(name, path)
        if base is not None and (reasons := self.misfits_of(lora, base)):
            raise StoreError(f"{path} does not fit '{base.name}': {'; '.join(reasons)}")
        self._layout.blobs.prepare()
        intake = Intake(files)
        try:
            for _ in intake.read(self._layout.blobs.folder if copy else None):
                pass
            with self._layout.lock.hold():
                return self._commit(parsed, path, lora, intake, now_s)
        finally:
            intake.close()

    def remove(self, name: str) -> int:
        """Forget an adapter and return the bytes that this freed; an adopted file stays. Raises: StoreError."""
        with self._layout.lock.hold():
            self._layout.adapters.delete(self.get(name).name)
            return self._layout.delete_unused()

    def opened_path(self, manifest: AdapterManifest) -> Path:
        """Return the file of a GGUF adapter, the folder of any other."""
        first = Path(manifest.files[0].path)
        if manifest.format == "gguf":
            return first
        return self._layout.links.path(manifest.digest) if manifest.files[0].role == "blob" else first.parent

    def compiled_path(self, manifest: AdapterManifest) -> Path:
        """Return the folder for what is made of the adapter once."""
        return self._layout.compiled.path(manifest.digest)

    def misfits(self, manifest: AdapterManifest, base: ModelManifest) -> builtins.list[str]:
        """Return why an adapter cannot be applied to a model; nothing when it fits. Raises: StoreError."""
        opened = self.opened_path(manifest)
        return self.misfits_of(_read(opened), base)

    def misfits_of(self, lora: Lora, base: ModelManifest) -> builtins.list[str]:
        """Return why an adapter that was read cannot be applied to a model. Raises: StoreError."""
        return misfits(lora, base.format, base.details.architecture, _tensors(self._layout.opened_path(base), base))

    def _commit(self, name: str, path: Path, lora: Lora, intake: Intake, now_s: float) -> AdapterManifest:
        digest = digest_of(intake.taken)
        existing = self._layout.adapters.get(name)
        if existing is not None and existing.digest != digest:
            raise NameTaken(
                f"another adapter is called '{name}'; remove it first (appliance models adapters rm {name}) "
                "or choose another name with --name NAME"
            )
        files = tuple(self._layout.placed(taken) for taken in intake.taken)
        manifest = AdapterManifest(
            name=name,
            format=lora.format,
            digest=digest,
            files=files,
            details=_details(lora),
            added_s=now_s,
            source=str(path),
        )
        if lora.format == "peft" and files[0].role == "blob":
            self._layout.links.link(digest, {str(file.name): Path(file.path) for file in files})
        self._layout.adapters.write(name, manifest)
        return manifest


def _find(path: Path) -> tuple[Lora, tuple[FoundFile, ...]]:
    """Read what an adapter's files say, before they are read whole. Raises: StoreError."""
    with file_errors(path):
        resolved = path.resolve(strict=True)
        folder = resolved.parent if resolved.name in (CONFIG_FILE, WEIGHTS_FILE) else resolved
        lora = _read(folder)
        if lora.format == "gguf":
            return lora, (FoundFile(resolved),)
        return lora, tuple(FoundFile(folder / name, name) for name in (CONFIG_FILE, WEIGHTS_FILE))


def _read(path: Path) -> Lora:
    with file_errors(path):
        try:
            return read_peft_lora(path) if path.is_dir() else read_gguf_lora(path)
        except LoraError as error:
            raise StoreError(f"{path} is no usable LoRA adapter: {error}") from error


def _checked_name(name: str | None, path: Path) -> str:
    stem = path.name if path.is_dir() else path.stem
    chosen = name_from_stem(stem).name if name is None else name.lower()
    if _NAME.fullmatch(chosen) is None:
        raise InvalidModelName(
            f"{chosen[:80]!r} is no name for an adapter; write letters, digits, '.', '_' and '-', beginning with "
            "a letter or digit"
        )
    return chosen


def _details(lora: Lora) -> AdapterDetails:
    return AdapterDetails(
        rank=lora.rank,
        alpha=lora.alpha,
        targets=lora.targets,
        num_tensors=len(lora.pairs),
        num_parameters=lora.num_parameters,
        architecture=lora.architecture,
        base=lora.base,
        name=lora.name,
        licence=lora.licence,
    )


def _tensors(opened: Path, base: ModelManifest) -> Mapping[str, Shape]:
    """Return the shapes of a model's tensors by name; of a format without such names, none. Raises: StoreError."""
    try:
        if base.format == "safetensors":
            return {name: tensor.shape for name, (_, tensor) in read_tensors(weight_files(opened.parent)).items()}
        if base.format == "gguf":
            heads = [read_gguf(Path(file.path)) for file in base.files]
            return {tensor.name: tensor.shape for head in heads for tensor in head.tensors}
    except (OSError, GGUFError, SafetensorsError) as error:
        raise StoreError(f"'{base.name}' cannot be read: {error}") from error
    return {}
