"""`/v1/models` in Anthropic's shape: pages of models, and what each can do."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from appliance.core.admin import InstalledModel
from appliance.errors import InvalidRequest

MAX_PAGE = 1000
PageLength = Annotated[int, Meta(ge=1, le=MAX_PAGE)]
_DEFAULT_PAGE = 20


class ModelWire(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="model"):
    """One model. A model here is as old as its installation."""

    id: str
    display_name: str
    created_at: str
    max_input_tokens: int | None
    max_tokens: int | None
    lifecycle: str = "active"
    line: None = None
    deprecated_at: None = None
    retires_at: None = None
    capabilities: None = None


class ModelListWire(msgspec.Struct, frozen=True, kw_only=True):
    """A page of models."""

    data: list[ModelWire]
    has_more: bool
    first_id: str | None
    last_id: str | None


def model_wire(model: InstalledModel) -> ModelWire:
    """Return one model as Anthropic's clients read it."""
    created = datetime.fromtimestamp(int(model.added_s or 0), UTC)
    return ModelWire(
        id=model.name,
        display_name=model.name,
        created_at=created.isoformat().replace("+00:00", "Z"),
        max_input_tokens=model.context_tokens,
        max_tokens=model.context_tokens,
    )


def model_page(models: Sequence[InstalledModel], query: Mapping[str, str]) -> ModelListWire:
    """Return the page that `query` asks for with `limit` and `after_id` or `before_id`. Raises: InvalidRequest."""
    names = [model.name for model in models]
    limit = _limit(query.get("limit", str(_DEFAULT_PAGE)))
    start, end = 0, len(names)
    if after := query.get("after_id"):
        start = _place(names, after, "after_id") + 1
    if before := query.get("before_id"):
        end = _place(names, before, "before_id")
        found = models[max(start, end - limit) : end]
        has_more = end - limit > start
    else:
        found = models[start : start + limit]
        has_more = start + limit < end
    return ModelListWire(
        data=[model_wire(model) for model in found],
        has_more=has_more,
        first_id=found[0].name if found else None,
        last_id=found[-1].name if found else None,
    )


def _limit(text: str) -> int:
    if not text.isdecimal() or len(text) > len(str(MAX_PAGE)) or not 1 <= int(text) <= MAX_PAGE:
        raise InvalidRequest(f"'limit' is a number from 1 to {MAX_PAGE}, not {text!r}", param="limit")
    return int(text)


def _place(names: Sequence[str], name: str, param: str) -> int:
    if name not in names:
        raise InvalidRequest(f"'{param}': there is no model {name!r}", param=param)
    return names.index(name)
