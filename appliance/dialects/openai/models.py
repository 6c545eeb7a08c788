"""`/v1/models`: what OpenAI's clients read of a model, and beside it what a person wants to know."""

import msgspec

from appliance.core.admin import InstalledModel


class ModelWire(msgspec.Struct, frozen=True, kw_only=True):
    """One model. The fields after `owned_by` are ours; `context_length` is what one sequence gets here."""

    id: str
    created: int
    owned_by: str
    context_length: int | None
    max_context_length: int | None
    capabilities: tuple[str, ...]
    object: str = "model"
    shutdown_date: None = None


class ModelListWire(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /v1/models`."""

    data: tuple[ModelWire, ...]
    object: str = "list"


def model_wire(model: InstalledModel) -> ModelWire:
    """Return `model` as `GET /v1/models/{id}` answers it."""
    publisher, slash, _ = model.name.partition("/")
    return ModelWire(
        id=model.name,
        created=int(model.added_s or 0),
        owned_by=publisher if slash else "library",
        context_length=model.context_tokens,
        max_context_length=model.trained_context_tokens,
        capabilities=model.capabilities,
    )
