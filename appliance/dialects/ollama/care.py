"""The care of models: pull, push, create, copy and delete as clients ask for them, and how progress is told."""

from typing import Annotated, Any, Literal, Protocol

import msgspec
from msgspec import UNSET, Meta, UnsetType

from appliance.errors import InvalidRequest
from models.manifest import ModelPreset, PresetMessage

from .options import Options

Name = Annotated[str, Meta(min_length=1)]


class NamedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of push and delete, and the beginning of others. Older clients say `name`."""

    model: str | None = None
    name: str | None = None
    stream: bool | None = None

    @property
    def streams(self) -> bool:
        """Whether each line of progress is told as it comes."""
        return self.stream is not False


class CopyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /api/copy`."""

    source: Name
    destination: Name


class TurnWire(msgspec.Struct, frozen=True, kw_only=True):
    """A turn before every conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class CreateRequest(NamedRequest, frozen=True, kw_only=True, rename={"from_": "from"}):
    """The body of `POST /api/create`: `from` an installed model, or of `files` that were uploaded by their digests."""

    from_: str | None = None
    files: dict[str, str] | None = None
    adapters: dict[str, str] | None = None
    template: str | None = None
    license: str | list[str] | None = None
    system: str | None = None
    parameters: dict[str, Any] | None = None
    messages: list[TurnWire] | None = None
    quantize: str | None = None


class StatusWire(msgspec.Struct, frozen=True, kw_only=True):
    """A line of progress, the last of which says `success`."""

    status: str
    digest: str | UnsetType = UNSET
    total: int | UnsetType = UNSET
    completed: int | UnsetType = UNSET


WRITING = "writing manifest"
SUCCESS = "success"


class VersionWire(msgspec.Struct, frozen=True):
    """The answer of `GET /api/version`."""

    version: str


API_VERSION = "0.12.11"
"""The Ollama whose API this is: the first with `logprobs`, the last thing that was added to what is spoken here.

Clients compare it with the version that a feature came with, so our own version would tell them nothing.
"""


class Named(Protocol):
    """A body that names a model in one of two ways."""

    @property
    def model(self) -> str | None: ...

    @property
    def name(self) -> str | None: ...


def name_of(wire: Named) -> str:
    """Return the model that is meant. Raises: InvalidRequest."""
    name = wire.model or wire.name
    if not name:
        raise InvalidRequest("'model' is required", param="model")
    return name


def uploaded_digest(wire: CreateRequest) -> str | None:
    """Return the digest of the file that a model is to be made of, None where it is made of another model.

    Raises: InvalidRequest, for what cannot be made here, with the way that leads there.
    """
    if wire.quantize:
        raise InvalidRequest(
            "'quantize' is not supported here; see: appliance models quantize --help", param="quantize"
        )
    if wire.adapters:
        raise InvalidRequest(
            "'adapters' make no model of their own here: add each with 'appliance models adapters add FILE', and ask "
            "for 'MODEL+ADAPTER'",
            param="adapters",
        )
    if bool(wire.from_) == bool(wire.files):
        raise InvalidRequest("give either 'from', an installed model, or 'files', uploaded ones", param="from")
    if not wire.files:
        return None
    if len(wire.files) > 1:
        raise InvalidRequest(
            "'files' holds several, and a model is made of a single GGUF file here; one with a projector is added by: "
            "appliance models add MODEL --projector FILE; a folder is converted by: appliance convert PATH",
            param="files",
        )
    return next(iter(wire.files.values()))


def preset_of(wire: CreateRequest, parent: str | None, inherited: ModelPreset | None) -> ModelPreset | None:
    """Return what the new model begins with, over what its parent did. Raises: InvalidRequest, for a parameter."""
    base = inherited or ModelPreset()
    parameters = {name: value for name, value in (wire.parameters or {}).items() if value is not None}
    try:
        msgspec.convert(parameters, Options)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"'parameters': {error}", param="parameters") from None
    licence = "\n".join(wire.license) if isinstance(wire.license, list) else wire.license
    turns = tuple(PresetMessage(role=turn.role, content=turn.content) for turn in wire.messages or ())
    preset = ModelPreset(
        parent=parent,
        system=wire.system or base.system,
        messages=turns or base.messages,
        parameters=base.parameters | parameters,
        licence=licence or base.licence,
    )
    return None if preset == ModelPreset() else preset


def progress(*statuses: str) -> list[StatusWire]:
    """Return lines of progress that end well."""
    return [StatusWire(status=status) for status in (*statuses, SUCCESS)]


def told(lines: list[StatusWire], *, streams: bool) -> bytes:
    """Return the lines as a stream, or the last of them as the whole answer."""
    if not streams:
        return msgspec.json.encode(lines[-1])
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
