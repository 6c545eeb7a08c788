"""The catalogue: models that are known by name before any of their files is here. Pure but for reading its files.

A file is TOML: a family with its publisher, and its models. What nobody has read, a size or digest above all, is left
out, and found out when the model is fetched.
"""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from models.errors import StoreError
from models.names import InvalidModelName, ModelName

Capability = Literal["chat", "tools", "reasoning", "vision", "fim", "embedding", "rerank", "transcription"]
Purpose = Literal["chat", "code", "tools", "embeddings", "rerank", "transcription"]
Maturity = Literal["proven", "current", "new"]
"""`proven`: in wide use for more than a year. `new`: so lately published that runtimes still change for it."""

BUILT_IN = Path(__file__).parents[1] / "manifests"
SUFFIX = ".toml"
MAX_FILE_BYTES = 4 * 2**20
SCHEMA_VERSION = 1

_NAMING_QUANTIZATIONS = ("hf:", "ms:")
"""Repositories that hold several quantizations; in other references one is named already."""

_Count = Annotated[int, msgspec.Meta(gt=0)]
_Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]
_Month = Annotated[str, msgspec.Meta(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
_Reference = Annotated[str, msgspec.Meta(pattern=r"^(hf|ms|ollama|https):[^\s]+$", max_length=300)]
_Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class CatalogueError(StoreError):
    """A catalogue cannot be used, or does not have what was asked for; the message says why."""


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides a model's memory. `num_kv_layers` are those with keys and values for all tokens, where not all.

    Layers of a sliding window are among them: every engine here keeps their keys and values, too.
    """

    num_layers: _Count
    num_heads: _Count
    num_kv_heads: _Count
    head_length: _Count
    embedding_length: _Count
    feed_forward_length: _Count
    vocab_size: _Count
    num_kv_layers: _Count | None = None


class SourceFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of the file of one quantization before it is fetched: a promise to be kept by whoever fetches."""

    size_bytes: _Count | None = None
    sha256: _Sha256 | None = None


class CatalogueSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a model can be had in one format. `quantizations` are those of a GGUF source, the first the usual one."""

    reference: _Reference
    format: Literal["gguf", "onnx"]
    quantizations: tuple[str, ...] = ()
    files: dict[str, SourceFile] = {}


class CatalogueModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model. Unknown is None; `template` is the family of its chat template, by the engine's name for it.

    `num_active_parameters` are those that one token uses, where not all. `languages` are ISO 639-1, "multi" for many.
    """

    name: _Name
    title: str
    num_parameters: _Count
    licence: str
    languages: tuple[str, ...]
    capabilities: tuple[Capability, ...]
    purposes: tuple[Purpose, ...]
    maturity: Maturity
    judgement: Annotated[str, msgspec.Meta(max_length=200)]
    sources: Annotated[tuple[CatalogueSource, ...], msgspec.Meta(min_length=1)]
    released: _Month | None = None
    num_active_parameters: _Count | None = None
    context_length_tokens: _Count | None = None
    template: str | None = None
    shape: Shape | None = None


class CatalogueFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file: the models of a family, or those that an operator or a vendor stands for."""

    schema_version: Literal[1]
    family: str
    publisher: str
    models: Annotated[tuple[CatalogueModel, ...], msgspec.Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class Entry:
    """A model with the family and publisher of its file. `origin` is the signed file it came with, None: built in."""

    model: CatalogueModel
    family: str
    publisher: str
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a name of the catalogue stands for, to be fetched. `sha256` and `size_bytes` are None where not promised."""

    entry: Entry
    reference: str
    quantization: str | None
    size_bytes: int | None
    sha256: str | None


def parse_catalogue(data: bytes, origin: str | None = None) -> tuple[Entry, ...]:
    """Return the models of a file. Raises: CatalogueError, naming the field at fault."""
    if len(data) > MAX_FILE_BYTES:
        raise CatalogueError(f"a catalogue of {len(data)} bytes is longer than {MAX_FILE_BYTES}")
    try:
        file = msgspec.convert(tomllib.loads(data.decode()), CatalogueFile)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CatalogueError(f"the catalogue cannot be used: {error}") from None
    names = [model.name for model in file.models]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise CatalogueError(f"the catalogue cannot be used: it has two models {twice!r}")
    return tuple(Entry(model, file.family, file.publisher, origin) for model in file.models)


class Catalogue:
    """All models, by name. Of two with one name the one given first is taken."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries: dict[str, Entry] = {}
        for entry in entries:
            self._entries.setdefault(entry.model.name, entry)

    def __iter__(self) -> Iterator[Entry]:
        """Yield the models by name."""
        return iter(sorted(self._entries.values(), key=lambda entry: entry.model.name))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._entries)

    def get(self, name: str) -> Entry | None:
        """Return the model of a name, whatever its tag; None where there is none."""
        try:
            return self._entries.get(ModelName.parse(name).repository)
        except InvalidModelName:
            return None

    def reference_for(self, name: str) -> Chosen:
        """Return what `NAME` or `NAME:QUANTIZATION` stands for. Raises: CatalogueError, with the nearest name."""
        base, _, wanted = name.partition(":")
        entry = self._entries.get(base.lower())
        if entry is None:
            near = get_close_matches(base.lower(), self._entries, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "; see: appliance models search"
            raise CatalogueError(f"the catalogue has no model {base!r}{hint}")
        return _chosen(entry, None if wanted.lower() in ("", "latest") else wanted)


def chosen_of(entry: Entry, source: CatalogueSource, quantization: str | None) -> Chosen:
    """Return what one quantization of a source is fetched by."""
    file = source.files.get(quantization or "", SourceFile())
    names_one = quantization is not None and source.reference.startswith(_NAMING_QUANTIZATIONS)
    reference = f"{source.reference}:{quantization}" if names_one else source.reference
    return Chosen(entry, reference, quantization, file.size_bytes, file.sha256)


def _chosen(entry: Entry, wanted: str | None) -> Chosen:
    """Take the first source that has the quantization; without one, the usual one of the first source."""
    for source in entry.model.sources:
        of_source = {name.lower(): name for name in source.quantizations}
        if wanted is None:
            quantization = next(iter(source.quantizations), None)
        elif wanted.lower() in of_source:
            quantization = of_source[wanted.lower()]
        else:
            continue
        return chosen_of(entry, source, quantization)
    known = sorted({name for source in entry.model.sources for name in source.quantizations})
    raise CatalogueError(f"{entry.model.name} is not known to be there as {wanted!r}; it is as {', '.join(known)}")


@cache
def built_in_entries() -> tuple[Entry, ...]:
    """Return what is part of the package, read once."""
    files = sorted(BUILT_IN.glob(f"*{SUFFIX}"))
    return tuple(entry for file in files for entry in parse_catalogue(file.read_bytes()))
