"""What is to be pulled: an order as somebody wrote it → one that means the same to every process, and its settings."""

from dataclasses import replace

import msgspec

from appliance.core.jobs import JobKind
from appliance.core.pulls import PullModel
from appliance.errors import InvalidRequest
from appliance.settings import Settings
from models.manifest import ModelPreset, ModelProvenance
from models.names import InvalidModelName, ModelName
from models.sources.opening import SourceSettings
from models.sources.reference import (
    CatalogueReference,
    FileReference,
    HttpReference,
    HubReference,
    InvalidReference,
    parse_reference,
)

PULL = JobKind(
    name="pull",
    module="appliance.service.pull_job",
    arguments=PullModel,
    is_resumable=True,
    lane="network",
    shared_by=("model", "name"),
)
KEYS_FILE = "downloads.json"
"""In the job's folder: the folders below `downloads/` that it may leave something in."""
MODEL_MEMORY_RATIO = 0.7
"""Of several quantizations none is taken by itself whose weights are more of the machine's memory."""


class PullSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon tells the child process. Has tokens in it: not for any log or disk."""

    sources: SourceSettings = SourceSettings()
    num_connections: int = 4
    max_bytes_per_s: int | None = None
    window: str | None = None
    min_free_bytes: int = 0
    max_model_bytes: int | None = None
    allowed_licences: tuple[str, ...] = ("*",)
    catalogue_keys: tuple[str, ...] = ()


class FetchedModel(msgspec.Struct, frozen=True, kw_only=True):
    """What the child process ends with: verified files in `folder`, and what is to become of them."""

    folder: str
    name: str
    provenance: ModelProvenance
    preset: ModelPreset | None = None
    notes: tuple[str, ...] = ()


def pull_settings(settings: Settings, memory_bytes: int) -> PullSettings:
    """Return what of the daemon's settings a pull goes by."""
    downloads = settings.downloads
    return PullSettings(
        sources=SourceSettings(
            hugging_face_endpoint=downloads.hugging_face_endpoint,
            hugging_face_token=downloads.hugging_face_token,
            modelscope_endpoint=downloads.modelscope_endpoint,
            modelscope_token=downloads.modelscope_token,
            ollama_registry=downloads.ollama_registry,
        ),
        num_connections=downloads.connections,
        max_bytes_per_s=downloads.max_bytes_per_s,
        window=downloads.window,
        min_free_bytes=downloads.min_free_bytes,
        max_model_bytes=int(memory_bytes * MODEL_MEMORY_RATIO),
        allowed_licences=settings.models.allowed_licences,
        catalogue_keys=settings.models.catalogue_keys,
    )


def checked_order(order: PullModel) -> PullModel:
    """Return the order with its model and name in the one form that each has. Raises: InvalidRequest."""
    try:
        reference = parse_reference(order.model)
    except InvalidReference as error:
        raise InvalidRequest(str(error), param="model") from None
    if order.quantization is not None:
        match reference:
            case HubReference(pick=None):
                reference = replace(reference, pick=order.quantization)
            case CatalogueReference() if ":" not in reference.name:
                reference = CatalogueReference(f"{reference.name}:{order.quantization}")
            case _:
                raise InvalidRequest(
                    f"{order.model!r} names one file already, so there is no quantization to choose",
                    param="quantization",
                )
    if isinstance(reference, FileReference) and not reference.path.startswith("/"):
        raise InvalidRequest(f"{order.model!r}: name the file by its whole path", param="model")
    try:
        name = None if order.name is None else str(ModelName.parse(order.name))
    except InvalidModelName as error:
        raise InvalidRequest(str(error), param="name") from None
    is_signed = isinstance(reference, HttpReference) and reference.query
    model = order.model.strip() if is_signed else str(reference)
    return PullModel(model=model, name=name, max_bytes_per_s=order.max_bytes_per_s)
