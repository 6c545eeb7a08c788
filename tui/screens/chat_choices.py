"""What a person may choose in a chat, as dialogs and what they accept. Pure but for the dialogs that it makes."""

from collections.abc import Iterable, Mapping

import msgspec

from appliance.core.admin import InstalledModel
from appliance.words import tr
from tui.dialogs.form import Field, Form
from tui.dialogs.write import Write
from tui.widgets.figures import size

from .chat_column import SIGNS
from .chat_talk import Shape

_MAX_TEMPERATURE = 2.0
_NUMBERS: dict[str, type[int] | type[float]] = {"temperature": float, "top_p": float, "max_tokens": int, "seed": int}


def model_choices(models: Iterable[InstalledModel]) -> list[tuple[str, str]]:
    """Return the models that chat, with what one wants to know to choose one."""
    chatting = [model for model in models if "chat" in model.capabilities]
    width = max((len(model.name) for model in chatting), default=0)
    return [(model.name, _model_line(model, width)) for model in chatting]


def sampling_form(shape: Shape) -> Form:
    """Return the dialog for how tokens are drawn."""
    own = tr("as the model has it")
    return Form(
        tr("Sampling"),
        tr("An empty line leaves it to the box. At temperature 0, or with a seed, the same question has one answer."),
        [
            Field("temperature", "temperature", _text(shape.temperature), own),
            Field("top_p", "top_p", _text(shape.top_p), own),
            Field("max_tokens", "max_tokens", _text(shape.max_tokens), tr("as long as the context")),
            Field("seed", "seed", _text(shape.seed), tr("another each time")),
        ],
        check=_sampling_problem,
    )


def with_sampling(shape: Shape, values: Mapping[str, str]) -> Shape:
    """Return the shape with what was typed, which was checked."""
    return msgspec.structs.replace(
        shape, **{name: kind(values[name]) if values[name] else None for name, kind in _NUMBERS.items()}
    )


def text_dialog(shape: Shape, name: str) -> Write:
    """Return the dialog for the system prompt, the tools or the schema."""
    if name == "system":
        explanation = tr("Instructions that stand before the conversation. An empty text takes them away.")
        return Write(tr("System prompt"), explanation, value=shape.system)
    if name == "tools":
        explanation = tr(
            "Functions that the model may call, as a JSON list in OpenAI's form. Calls are shown; you give the results."
        )
        return Write(tr("Tools"), explanation, value=shape.tools, check=tools_problem)
    explanation = tr("A JSON schema: the answer will be JSON that it allows. An empty text takes it away.")
    return Write(tr("Schema"), explanation, value=shape.schema, check=schema_problem)


def tools_problem(text: str) -> str | None:
    """Return what is wrong with tools, None if nothing is."""
    if not text:
        return None
    value, problem = _json(text)
    if problem:
        return problem
    if not isinstance(value, list) or not all(isinstance(each, dict) and "type" in each for each in value):
        return tr('write a list: [{"type": "function", "function": {"name": …, "parameters": {…}}}]')
    return None


def schema_problem(text: str) -> str | None:
    """Return what is wrong with a schema, None if nothing is."""
    if not text:
        return None
    value, problem = _json(text)
    return problem or (None if isinstance(value, dict) else tr('write an object: {"type": "object", …}'))


def summary(shape: Shape) -> str:
    """Return in one line what is not left to the box."""
    parts = [f"{name} {value:g}" for name in _NUMBERS if (value := getattr(shape, name)) is not None]
    parts += [tr("system prompt")] if shape.system else []
    parts += [tr("tools: {number}", number=len(msgspec.json.decode(shape.tools)))] if shape.tools else []
    parts += [tr("schema")] if shape.schema else []
    return " · ".join(parts) or tr("sampling as the model has it")


def _sampling_problem(values: Mapping[str, str]) -> str | None:
    for name, kind in _NUMBERS.items():
        try:
            value = kind(values[name]) if values[name] else None
        except ValueError:
            return tr("{name}: write a number", name=name)
        if value is not None and not _is_allowed(name, value):
            return tr("{name}: {value} is outside of what it may be", name=name, value=value)
    return None


def _is_allowed(name: str, value: float) -> bool:
    if name == "temperature":
        return 0 <= value <= _MAX_TEMPERATURE
    if name == "top_p":
        return 0 < value <= 1
    return value >= (1 if name == "max_tokens" else 0)


def _model_line(model: InstalledModel, width: int) -> str:
    facts = [f"{SIGNS[model.state][0]} {model.name.ljust(width)}", size(model.size_bytes).rjust(8)]
    return "  ".join([*facts, model.quantization or ""])


def _json(text: str) -> tuple[object, str | None]:
    try:
        return msgspec.json.decode(text), None
    except msgspec.DecodeError as error:
        return None, tr("this is no JSON: {problem}", problem=error)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
