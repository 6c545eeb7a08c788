"""`GET /api/tags`, `GET /api/ps` and `POST /api/show`: what clients read of a model."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from appliance.core.admin import InstalledModel, LoadedModelStatus
from appliance.core.template_families import knows_thinking, knows_tools
from models.finding.facts import ModelFacts
from models.manifest import ModelPreset

from .moments import FOR_EVER_S, rfc3339


class ShowRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /api/show`. Older clients say `name`."""

    model: str | None = None
    name: str | None = None


class DetailsWire(msgspec.Struct, frozen=True, kw_only=True):
    """What kind of model it is; unknown is empty, as Ollama has it."""

    parent_model: str
    format: str
    family: str
    families: list[str]
    parameter_size: str
    quantization_level: str


class TagWire(msgspec.Struct, frozen=True, kw_only=True):
    """An installed model. The digest is that of its files."""

    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: DetailsWire


class TagsWire(msgspec.Struct, frozen=True):
    """The answer of `GET /api/tags`."""

    models: list[TagWire]


class RunningWire(msgspec.Struct, frozen=True, kw_only=True):
    """A model in memory. `size_vram` is what of it lies on a device of its own."""

    name: str
    model: str
    size: int
    digest: str
    details: DetailsWire
    expires_at: str
    size_vram: int
    context_length: int


class RunningModelsWire(msgspec.Struct, frozen=True):
    """The answer of `GET /api/ps`."""

    models: list[RunningWire]


class ShowWire(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `POST /api/show`. The template is the model's own, in Jinja."""

    modelfile: str
    parameters: str
    template: str
    details: DetailsWire
    model_info: dict[str, Any]
    capabilities: list[str]
    modified_at: str
    license: str | UnsetType = UNSET
    system: str | UnsetType = UNSET


def shown_name(name: str) -> str:
    """Return a name as Ollama's clients know it: with its tag."""
    base, at, variant = name.partition("@")
    model, plus, adapters = base.partition("+")
    return (model if ":" in model else f"{model}:latest") + plus + adapters + at + variant


def tags(models: Iterable[InstalledModel], presets: dict[str, ModelPreset]) -> TagsWire:
    """Return the list of all models; `presets` are those of the ones that have any."""
    return TagsWire([_tag(model, presets.get(model.name)) for model in models])


def running(
    models: Iterable[tuple[InstalledModel, LoadedModelStatus]], presets: dict[str, ModelPreset], now_ns: int
) -> RunningModelsWire:
    """Return the models in memory; one that stays until somebody needs its place stays for ever, as Ollama says it."""
    return RunningModelsWire(
        [
            RunningWire(
                name=shown_name(model.name),
                model=shown_name(model.name),
                size=status.memory_bytes,
                digest=_hex(model.digest),
                details=_details(model, presets.get(model.name)),
                expires_at=_moment(now_ns / 1e9 + (FOR_EVER_S if status.expires_in_s is None else status.expires_in_s)),
                size_vram=0 if status.device == "cpu" else status.memory_bytes,
                context_length=status.context_tokens,
            )
            for model, status in models
        ]
    )


def show(model: InstalledModel, facts: ModelFacts, preset: ModelPreset | None) -> ShowWire:
    """Return everything that is known of a model."""
    parameters = _parameters(model, preset)
    licence = (preset.licence if preset else None) or model.licence
    system = preset.system if preset else None
    return ShowWire(
        modelfile=_modelfile(model, facts, preset, parameters),
        parameters=parameters,
        template=facts.template or "",
        details=_details(model, preset),
        # VS Code calls the model by its base name, which not every file tells.
        model_info={"general.basename": model.name.partition(":")[0], **facts.metadata},
        capabilities=_capabilities(model, facts),
        modified_at=_moment(model.added_s or 0.0),
        license=licence or UNSET,
        system=system or UNSET,
    )


def _tag(model: InstalledModel, preset: ModelPreset | None) -> TagWire:
    return TagWire(
        name=shown_name(model.name),
        model=shown_name(model.name),
        modified_at=_moment(model.added_s or 0.0),
        size=model.size_bytes,
        digest=_hex(model.digest),
        details=_details(model, preset),
    )


def _details(model: InstalledModel, preset: ModelPreset | None) -> DetailsWire:
    family = model.architecture or ""
    return DetailsWire(
        parent_model=shown_name(preset.parent) if preset and preset.parent else "",
        format=model.format,
        family=family,
        families=[family] if family else [],
        parameter_size=_size(model.num_parameters),
        quantization_level=model.quantization or "",
    )


def _capabilities(model: InstalledModel, facts: ModelFacts) -> list[str]:
    """Return what the model was made for: tools can be offered to any, but only some were taught to use them."""
    if "embeddings" in model.capabilities:
        return ["embedding"]
    if "completion" not in model.capabilities:
        return list(model.capabilities)
    found = {
        "completion": True,
        "tools": knows_tools(facts.template),
        "thinking": knows_thinking(facts.template),
        "insert": facts.fills_gaps,
        "vision": "vision" in model.capabilities,
        "audio": "audio" in model.capabilities,
    }
    return [name for name, is_true in found.items() if is_true]


def _parameters(model: InstalledModel, preset: ModelPreset | None) -> str:
    """Return a line for each parameter; the context is the one that the model has here."""
    made: dict[str, Any] = dict(preset.parameters) if preset else {}
    if model.context_tokens is not None:
        made["num_ctx"] = model.context_tokens
    rows = [(name, each) for name, value in made.items() for each in (value if isinstance(value, list) else [value])]
    return "\n".join(f"{name:<30} {_written(value)}" for name, value in rows)


def _modelfile(model: InstalledModel, facts: ModelFacts, preset: ModelPreset | None, parameters: str) -> str:
    lines = [f"FROM {shown_name((preset.parent if preset else None) or model.name)}"]
    if facts.template:
        lines.append(f'TEMPLATE """{facts.template}"""')
    if preset and preset.system:
        lines.append(f'SYSTEM """{preset.system}"""')
    lines += [f"PARAMETER {' '.join(line.split(maxsplit=1))}" for line in parameters.splitlines()]
    lines += [f'MESSAGE {turn.role} """{turn.content}"""' for turn in (preset.messages if preset else ())]
    return "\n".join(lines) + "\n"


def _written(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _size(num_parameters: int | None) -> str:
    if num_parameters is None:
        return ""
    if num_parameters >= 1e9:
        return f"{num_parameters / 1e9:.1f}B"
    return f"{num_parameters / 1e6:.2f}M"


def _hex(digest: str) -> str:
    return digest.rpartition(":")[2]


def _moment(time_s: float) -> str:
    return rfc3339(int(time_s * 1e9))
