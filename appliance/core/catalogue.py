"""The wire structs of `/admin/v1/catalogue` and `/admin/v1/fit`: which models could be had, and how each would run."""

from typing import Literal

import msgspec

from .measurement import Measurement

Purpose = Literal["chat", "code", "tools", "embeddings", "rerank", "transcription"]
"""What a model is wanted for."""


class FitAt(msgspec.Struct, frozen=True, kw_only=True):
    """The memory that a model needs while one sequence of this length is in it."""

    context_tokens: int
    memory_bytes: int
    is_fitting: bool


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction, not a measurement; `basis` says from what. A prompt's is rough: a factor of two either way."""

    decode_tokens_per_s: float
    prompt_tokens_per_s: float
    basis: str


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """How a model fits this machine now: one that is installed, or one of the catalogue in the usual quantization.

    `max_context_tokens` None: not even a short context fits. `speed` None: it is not a model that writes, or nothing
    here runs it; `measured` is what was really found of one that is installed. `name_note` says what is wrong with the
    name, `licence_note` what the licence asks. `notes` say what was estimated, and from what.
    """

    name: str
    is_installed: bool
    reference: str | None
    quantization: str | None
    num_parameters: int | None
    weights_bytes: int | None
    backend: str | None
    budget_bytes: int
    contexts: tuple[FitAt, ...]
    trained_context_tokens: int | None
    max_context_tokens: int | None
    speed: Speed | None
    licence: str | None
    licence_note: str | None
    is_licence_allowed: bool
    template: str | None
    capabilities: tuple[str, ...]
    name_note: str | None
    notes: tuple[str, ...]
    measured: Measurement | None = None


class CatalogueItem(msgspec.Struct, frozen=True, kw_only=True):
    """A model of the catalogue, judged for this machine.

    `rank` is the better the larger, and None where the model cannot be used here; `reasons` say why in both cases.
    `origin` is the signed file that the model came with, None for the catalogue that is part of the appliance.
    """

    name: str
    title: str
    family: str
    publisher: str
    origin: str | None
    released: str | None
    num_parameters: int
    num_active_parameters: int | None
    licence: str
    languages: tuple[str, ...]
    context_length_tokens: int | None
    capabilities: tuple[str, ...]
    purposes: tuple[str, ...]
    maturity: str
    judgement: str
    references: tuple[str, ...]
    quantization: str | None
    is_installed: bool
    memory_bytes: int | None
    speed: Speed | None
    rank: float | None
    reasons: tuple[str, ...]


class CatalogueAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/catalogue`: the best for this machine first, those that do not fit last."""

    models: tuple[CatalogueItem, ...]
    budget_bytes: int
    notes: tuple[str, ...]


class ImportCatalogue(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /admin/v1/catalogue`: a file by its content, with the text of its detached signature."""

    name: str
    text: str
    signature: str


class ImportedCatalogue(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken in: the models of the file, the key that signed it, and the comment that is signed with it."""

    name: str
    models: tuple[str, ...]
    key: str
    comment: str
