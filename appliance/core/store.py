"""The wire structs of the store in the admin API: aliases, versions, garbage, scrubs, adapters."""

from typing import Annotated, Literal

import msgspec


class AliasModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /admin/v1/models/alias`: `alias` is to mean what `model` means now."""

    model: str
    alias: str


class RollBackModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /admin/v1/models/rollback`; `version` None: the one before the current."""

    model: str
    version: int | None = None


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What a name means, or has meant."""

    number: int
    digest: str
    size_bytes: int
    added_s: float
    source: str | None
    is_current: bool
    problems: tuple[str, ...] = ()


class ModelVersions(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/versions/{name}` and of a rollback: the newest first."""

    model: str
    versions: tuple[ModelVersion, ...]


class CollectGarbage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /admin/v1/models/gc`; `keep_versions` None: as the settings say."""

    is_dry_run: bool = False
    keep_versions: Annotated[int, msgspec.Meta(ge=0, le=1000)] | None = None


class GarbageItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that nothing needs. The bytes of a version's files stand with its blobs."""

    kind: Literal["version", "blob", "partial", "upload", "links", "compiled", "download"]
    name: str
    size_bytes: int


class CollectedGarbage(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted, or would be. `num_unreadable` manifests keep every file from being garbage."""

    is_dry_run: bool
    size_bytes: int
    items: tuple[GarbageItem, ...]
    num_unreadable: int = 0


class ScrubModels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /admin/v1/models/scrub` and the arguments of its job; `model` None: all of them."""

    model: str | None = None
    max_bytes_per_s: Annotated[float, msgspec.Meta(gt=0)] | None = None


class HurtModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is not what it was, why, and what mends it."""

    name: str
    problems: tuple[str, ...]
    remedy: str


class Scrubbed(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a job `scrub`."""

    num_models: int
    num_files: int
    size_bytes: int
    hurt: tuple[HurtModel, ...]
    note: str


class ProvenanceOfFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it came; `is_stated`: the source itself said before that this is the digest."""

    name: str
    url: str
    sha256: str
    is_stated: bool = False


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model is from; `reference` names these very files."""

    kind: Literal["hugging_face", "modelscope", "ollama", "http", "file"]
    reference: str
    fetched_s: float
    publisher: str | None = None
    revision: str | None = None
    licence: str | None = None
    files: tuple[ProvenanceOfFile, ...] = ()


class FirstTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that comes before every conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Beginning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model begins with in the program that it is taken over from. `parameters` have Ollama's names."""

    system: str | None = None
    messages: tuple[FirstTurn, ...] = ()
    parameters: dict[str, float | str | list[str]] = {}
    licence: str | None = None


class AdapterView(msgspec.Struct, frozen=True, kw_only=True):
    """A LoRA adapter; `fits` are the installed models that it can be applied to."""

    name: str
    format: str
    digest: str
    size_bytes: int
    rank: int
    alpha: float | None
    targets: tuple[str, ...]
    architecture: str | None
    base: str | None
    licence: str | None
    added_s: float
    path: str
    fits: tuple[str, ...] = ()


class Adapters(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/adapters`."""

    adapters: tuple[AdapterView, ...]


class AddAdapter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /admin/v1/adapters`; `base` is an installed model that it must fit."""

    path: str
    name: str | None = None
    copy: bool = False
    base: str | None = None
