"""The one frozen tree of settings. Read once, in the command line; every value knows where it came from."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_type_hints

import msgspec

from .core.units import parse_bytes


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the daemon listens and whom it believes. At `ollama_port`, too, where that is not None."""

    host: str = "127.0.0.1"
    port: int = 8484
    ollama_port: int | None = None
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    max_body_bytes: int = 32 * 2**20
    read_timeout_s: float = 30.0
    drain_timeout_s: float = 30.0


class ModelsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which model answers when none is named, and which are loaded at start and stay."""

    default_model: str = "guide"
    pinned: tuple[str, ...] = ()


class SchedulerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many wait, how long a model stays, how much memory stays free."""

    max_waiting: int = 256
    keep_alive_s: float = 1800.0
    memory_reserve_ratio: float = 0.2
    load_timeout_s: float = 600.0


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of a loaded model, and what computes it. None: chosen from the model and the machine."""

    context_tokens: int | None = None
    kv_capacity_tokens: int | None = None
    max_step_sequences: int | None = None
    kv_type: Literal["auto", "f32", "int8"] = "auto"
    threads: int | None = None
    step_time_target_s: float = 0.1
    provider: str = "auto"
    provider_fallback: Literal["allow", "warn", "refuse"] = "warn"
    kernels: Literal["auto", "off"] = "auto"


class KvSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of what was computed is kept, beside the KV cache: for each model in main memory, for all on disk.

    None: chosen from the model and the machine. 0 bytes: nothing is kept there.
    """

    memory_bytes: int | None = None
    disk_bytes: int | None = None
    max_written_bytes_per_day: int | None = None


class JobsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many jobs run at a time, and how far behind serving they stand for the processor (19: the furthest)."""

    max_running: int = 1
    niceness: int = 19


class ResponsesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long responses and conversations that nobody goes on with are kept, and how much of them at most.

    The database is read whole at every start, which takes some seconds for what may be kept by default on an SD card.
    """

    keep_s: float = 30 * 86400.0
    max_bytes: int = 256 * 2**20


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the log shows."""

    level: str = "info"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole tree."""

    server: ServerSettings = ServerSettings()
    models: ModelsSettings = ModelsSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    engine: EngineSettings = EngineSettings()
    kv: KvSettings = KvSettings()
    jobs: JobsSettings = JobsSettings()
    responses: ResponsesSettings = ResponsesSettings()
    log: LogSettings = LogSettings()


class SettingsError(ValueError):
    """A value that cannot be used. The message names the key, where the value came from and what is accepted."""


class LoadedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings and, for every dotted key, its origin: `default`, `FILE:KEY`, a variable's name or a flag."""

    settings: Settings
    origins: dict[str, str]

    def entries(self) -> list[tuple[str, Any, str]]:
        """Return `(key, value, origin)` of every setting, in the order of the tree."""
        return [(key, value, self.origins[key]) for key, value in _leaves(self.settings)]


_ENVIRONMENT_PREFIX = "APPLIANCE_"
_FLAGS = {"models.default_model": "--model", "models.pinned": "--model"}

# Both ends belong to the range.
_RANGES: dict[str, tuple[float, float]] = {
    "server.port": (0, 65535),
    "server.ollama_port": (0, 65535),
    "server.max_body_bytes": (1024, 2**40),
    "server.read_timeout_s": (1, 3600),
    "server.drain_timeout_s": (0, 86400),
    "scheduler.max_waiting": (0, 10**6),
    "scheduler.keep_alive_s": (0, 10**9),
    "scheduler.memory_reserve_ratio": (0, 1),
    "scheduler.load_timeout_s": (1, 86400),
    "engine.context_tokens": (16, 2**31 - 1),
    "engine.kv_capacity_tokens": (16, 2**31 - 1),
    "engine.max_step_sequences": (1, 1024),
    "engine.threads": (1, 4096),
    "engine.step_time_target_s": (0.001, 60),
    "kv.memory_bytes": (0, 2**50),
    "kv.disk_bytes": (0, 2**50),
    "kv.max_written_bytes_per_day": (0, 2**50),
    "jobs.max_running": (1, 16),
    "jobs.niceness": (0, 19),
    "responses.keep_s": (0, 10**10),
    "responses.max_bytes": (0, 2**50),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "engine.kv_type": ("auto", "f32", "int8"),
    "engine.provider_fallback": ("allow", "warn", "refuse"),
    "engine.kernels": ("auto", "off"),
    "log.level": ("debug", "info", "warning", "error"),
}
_NONE_MEANS = {"server.ollama_port": "to listen on server.port alone"}
_SIZES = ("_bytes", "_bytes_per_day")
_KIND_NAMES = {int: "a whole number", float: "a number", str: "text", tuple[str, ...]: "a list of texts"}


def load(path: Path | None, environ: Mapping[str, str], flags: Mapping[str, object]) -> LoadedSettings:
    """Return the settings: defaults < TOML file at `path` < `APPLIANCE_SECTION__KEY` in `environ` < `flags`.

    `flags` maps dotted keys to values that are typed already. Raises: SettingsError.
    """
    values = dict(_leaves(Settings()))
    origins = dict.fromkeys(values, "default")
    kinds = _kinds()
    sources = chain(_from_file(path), _from_environment(environ), _from_flags(flags))
    for key, origin, value in sources:
        if key not in values:
            raise SettingsError(f"{origin}: there is no setting {key!r}{_nearest(key, values)}")
        values[key] = _convert(key, origin, value, kinds[key])
        origins[key] = origin
    tree: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        tree.setdefault(section, {})[name] = value
    return LoadedSettings(settings=msgspec.convert(tree, Settings), origins=origins)


def _leaves(settings: Settings) -> Iterator[tuple[str, Any]]:
    for section in settings.__struct_fields__:
        group = getattr(settings, section)
        for name in group.__struct_fields__:
            yield f"{section}.{name}", getattr(group, name)


def _kinds() -> dict[str, Any]:
    sections = get_type_hints(Settings)
    return {
        f"{section}.{name}": kind for section, group in sections.items() for name, kind in get_type_hints(group).items()
    }


def _from_file(path: Path | None) -> Iterator[tuple[str, str, object]]:
    if path is None:
        return
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except ValueError as error:
        raise SettingsError(f"{path}: is not valid TOML: {error}") from error
    for section, group in tree.items():
        if isinstance(group, dict):
            for name, value in group.items():
                yield f"{section}.{name}", f"{path}:{section}.{name}", value
        elif section in Settings.__struct_fields__:
            raise SettingsError(f"{path}:{section}: is a section; write its keys below a line [{section}]")
        else:
            yield section, f"{path}:{section}", group


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, str, object]]:
    for name in sorted(environ):
        section, is_setting, rest = name.removeprefix(_ENVIRONMENT_PREFIX).partition("__")
        # Without the double underline it is none of ours: Kubernetes sets APPLIANCE_PORT beside a service so named.
        if name.startswith(_ENVIRONMENT_PREFIX) and is_setting:
            yield f"{section}.{rest}".lower(), name, _Text(environ[name])


def _from_flags(flags: Mapping[str, object]) -> Iterator[tuple[str, str, object]]:
    for key, value in flags.items():
        yield key, _FLAGS.get(key, "--" + key.rpartition(".")[2].replace("_", "-")), value


class _Text(str):
    """A value from the environment: text that stands for a value of the field's own type."""

    __slots__ = ()


def _convert(key: str, origin: str, value: object, kind: Any) -> Any:
    parsed = _parse(key, value, kind)
    try:
        converted = msgspec.convert(parsed, kind)
    except msgspec.ValidationError:
        converted = _REFUSED
    if converted is _REFUSED or not _is_accepted(key, converted):
        shown = str(value) if isinstance(value, _Text) else value
        raise SettingsError(f"{origin}: {key} cannot be {shown!r}; accepted is {_accepted(key, kind)}")
    return converted


_REFUSED = object()


def _parse(key: str, value: object, kind: Any) -> object:
    """Return `value` as its field's type where it is text that says so; what does not parse comes back unchanged."""
    try:
        if isinstance(value, str) and isinstance(kind, UnionType) and value.strip().lower() == "none":
            return None
        if isinstance(value, str) and key.endswith(_SIZES):
            return parse_bytes(value)
        if not isinstance(value, _Text):
            return value
        if kind is str or key in _CHOICES:
            return str(value)
        if kind == tuple[str, ...]:
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return float(value) if kind is float else int(value)
    except ValueError:
        return value


def _is_accepted(key: str, value: Any) -> bool:
    if value is None:
        return True
    if key in _RANGES:
        low, high = _RANGES[key]
        return bool(low <= value <= high)
    if key in _CHOICES:
        return value in _CHOICES[key]
    return all(part.strip() for part in value) if isinstance(value, tuple) else bool(value.strip())


def _accepted(key: str, kind: Any) -> str:
    if key in _CHOICES:
        return "one of " + ", ".join(_CHOICES[key])
    is_optional = isinstance(kind, UnionType)
    text = _KIND_NAMES[int if is_optional else kind]
    if key in _RANGES:
        low, high = _RANGES[key]
        text += f" from {low} to {high}"
    elif kind is str:
        text += " that is not empty"
    if key.endswith(_SIZES):
        text += ", or a size such as 32 MiB"
    return text + (f', or "none" {_NONE_MEANS.get(key, "to let the machine choose")}' if is_optional else "")


def _nearest(key: str, known: Iterable[str]) -> str:
    names = list(known)
    last = {name.rpartition(".")[2]: name for name in names}
    found = get_close_matches(key, names, n=1) or [
        last[name] for name in get_close_matches(key.rpartition(".")[2], last, n=1)
    ]
    return f"; did you mean {found[0]!r}?" if found else "; `appliance config show` lists them all"
