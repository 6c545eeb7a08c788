"""Settings from where they may come from; every value knows its origin."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from .tree import Settings
from .values import SettingsError, Text, convert, hidden

_ENVIRONMENT_PREFIX = "APPLIANCE_"
RENAMED = {"engine.provider_fallback": "engine.device_fallback"}
"""Former names, which go on to work."""
_FLAGS = {"models.default_model": "--model", "models.pinned": "--model"}


class LoadedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings and, for every dotted key, its origin: `default`, `FILE:KEY`, a variable's name or a flag.

    `path` is the file that was read, None where there was none.
    """

    settings: Settings
    origins: dict[str, str]
    path: Path | None = None

    def entries(self) -> list[tuple[str, Any, str]]:
        """Return `(key, value, origin)` of every setting, in the order of the tree; of a secret only that it is set."""
        return [(key, hidden(key, value), self.origins[key]) for key, value in leaves(self.settings)]


def load(path: Path | None, environ: Mapping[str, str], flags: Mapping[str, object]) -> LoadedSettings:
    """Return the settings: defaults < TOML file at `path` < `APPLIANCE_SECTION__KEY` in `environ` < `flags`.

    `flags` maps dotted keys to values that are typed already. Raises: SettingsError.
    """
    from_file = () if path is None else _from_text(read_text(path), path)
    return _loaded(chain(from_file, _from_environment(environ), _from_flags(flags)), path)


def load_text(text: str, path: Path) -> LoadedSettings:
    """Return what the file at `path` would say alone if it held `text`. Raises: SettingsError."""
    return _loaded(_from_text(text, path), path)


def _loaded(sources: Iterable[tuple[str, str, object]], path: Path | None) -> LoadedSettings:
    values = dict(leaves(Settings()))
    origins = dict.fromkeys(values, "default")
    for name, origin, value in sources:
        key = known_key(name, origin)
        values[key] = convert(key, origin, value, KINDS[key])
        origins[key] = origin
    tree: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        tree.setdefault(section, {})[name] = value
    return LoadedSettings(settings=msgspec.convert(tree, Settings), origins=origins, path=path)


def known_key(name: str, origin: str) -> str:
    """Return a setting's key by that or a former name. Raises: SettingsError, with the nearest good one."""
    key = RENAMED.get(name, name)
    if key not in KINDS:
        raise SettingsError(f"{origin}: there is no setting {key!r}{_nearest(key, KINDS)}")
    return key


def leaves(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Yield every key with its value, in the order of the tree."""
    for section in settings.__struct_fields__:
        group = getattr(settings, section)
        for name in group.__struct_fields__:
            yield f"{section}.{name}", getattr(group, name)


def _kinds() -> dict[str, Any]:
    sections = get_type_hints(Settings)
    return {
        f"{section}.{name}": kind for section, group in sections.items() for name, kind in get_type_hints(group).items()
    }


KINDS = _kinds()


def read_text(path: Path) -> str:
    """Return what a settings file holds. Raises: SettingsError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except ValueError as error:
        raise SettingsError(f"{path}: is not text in UTF-8: {error}") from error


def _from_text(text: str, path: Path) -> Iterator[tuple[str, str, object]]:
    try:
        tree = tomllib.loads(text)
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
            yield f"{section}.{rest}".lower(), name, Text(environ[name])


def _from_flags(flags: Mapping[str, object]) -> Iterator[tuple[str, str, object]]:
    for key, value in flags.items():
        yield key, _FLAGS.get(key, "--" + key.rpartition(".")[2].replace("_", "-")), value


def _nearest(key: str, known: Iterable[str]) -> str:
    names = list(known)
    last = {name.rpartition(".")[2]: name for name in names}
    found = get_close_matches(key, names, n=1) or [
        last[name] for name in get_close_matches(key.rpartition(".")[2], last, n=1)
    ]
    return f"; did you mean {found[0]!r}?" if found else "; `appliance config show` lists them all"
