"""Owns the settings file of a home while it is changed: all of a change is checked before a byte is written."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from appliance.core.settings_view import ChangedSettings, ChangeSettings, SettingChange, SettingsView, SettingValue
from models.files import replace_atomically
from models.secret_fields import SECRETS

from .file_text import NotPlain, with_value, without_value
from .load import KINDS, RENAMED, LoadedSettings, known_key, leaves, load_text, read_text
from .rules import SIZES
from .values import HIDDEN, SettingsError, Text, convert
from .view import origin_of, shown, view_of

BACKUP_SUFFIX = ".before"
_NEW_FILE_MODE = 0o600  # it may come to hold tokens
_THIS = "this change"


class SettingsBook:
    """The settings in use and the file behind them. Its methods wait for the disk: call them from a thread."""

    def __init__(
        self, path: Path, loaded: LoadedSettings, live: Mapping[str, Callable[[Any], None]] | None = None
    ) -> None:
        """`live` takes the new value of each setting that counts without a restart."""
        self._path = path
        self._live = live or {}
        self._lock = Lock()
        self._running = {key: (value, loaded.origins[key]) for key, value in leaves(loaded.settings)}

    def view(self) -> SettingsView:
        """Return every setting, as it is in use and as the next start would take it."""
        with self._lock:
            problem = None
            try:
                at_next_start = load_text(self._text(), self._path)
            except SettingsError as error:
                problem, at_next_start = str(error), load_text("", self._path)
            settings = tuple(
                view_of(key, value, source, at_next_start, needs_restart=key not in self._live)
                for key, (value, source) in self._running.items()
            )
            return SettingsView(file=str(self._path), settings=settings, problem=problem)

    def change(self, order: ChangeSettings) -> ChangedSettings:
        """Change the file, all of the order or nothing. Raises: SettingsError, also where it cannot be written."""
        with self._lock:
            before_text = self._text()
            text, keys = _edited(before_text, order, self._path)
            after = load_text(text, self._path)
            try:
                before = dict(leaves(load_text(before_text, self._path).settings))
            except SettingsError:  # what was wrong with the file is mended by this change
                before = dict(leaves(load_text("", self._path).settings))
            backup = self._write(text) if text != before_text else None
            values = dict(leaves(after.settings))
            changes = tuple(self._changed(key, before[key], values[key], after.origins[key]) for key in keys)
            return ChangedSettings(file=str(self._path), backup=str(backup) if backup else None, changes=changes)

    def _changed(self, key: str, before: Any, value: Any, source: str) -> SettingChange:
        running_source = self._running[key][1]
        overridden_by = running_source if origin_of(running_source) in ("environment", "flag") else None
        is_live = overridden_by is None and key in self._live
        if is_live:
            self._live[key](value)
            self._running[key] = value, source
        return SettingChange(
            key=key,
            before=shown(key, before),
            value=shown(key, value),
            takes_effect="overridden" if overridden_by else "now" if is_live else "restart",
            overridden_by=overridden_by,
        )

    def _text(self) -> str:
        return read_text(self._path) if self._path.exists() else ""

    def _write(self, text: str) -> Path | None:
        path = self._path.resolve()
        backup = path.with_name(path.name + BACKUP_SUFFIX) if path.exists() else None
        try:
            mode = path.stat().st_mode & 0o777 if backup else _NEW_FILE_MODE
            if backup:
                _put(backup, path.read_bytes(), mode)
            _put(path, text.encode(), mode)
        except OSError as error:
            raise SettingsError(
                f"{path}: cannot be written ({error.strerror}), so nothing was changed; "
                "give the file and its folder to the daemon's user, or edit it by hand"
            ) from error
        return backup


def _edited(text: str, order: ChangeSettings, path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the new text and the keys that it is about. Raises: SettingsError."""
    wanted = {key: _written(key, value) for key, value in _by_key(order).items()}
    unset = {known_key(name, _THIS): None for name in order.unset}
    if twice := wanted.keys() & unset.keys():
        raise SettingsError(f"{_THIS}: {min(twice)} is both set and unset")
    try:
        for key in (*wanted, *unset):
            for former in (name for name, now in RENAMED.items() if now == key):
                text = without_value(text, former)
        for key, value in wanted.items():
            text = with_value(text, key, value)
        for key in unset:
            text = without_value(text, key)
    except NotPlain as error:
        raise SettingsError(f"{path}: {error}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: is not valid TOML: {error}") from error
    return text, (*wanted, *unset)


def _by_key(order: ChangeSettings) -> dict[str, SettingValue]:
    return {known_key(name, _THIS): value for name, value in order.set.items()}


def _written(key: str, value: SettingValue) -> object:
    """Return what the file says for a value: of its own type, but a size as it was said. Raises: SettingsError."""
    if value == HIDDEN and key.endswith(SECRETS):
        raise SettingsError(f"{_THIS}: {HIDDEN} is what is shown in the place of {key}, not its value")
    converted = convert(key, _THIS, Text(value) if isinstance(value, str) else value, KINDS[key])
    if converted is None:
        return "none"
    return value if key.endswith(SIZES) and isinstance(value, str) and not value.strip().isdecimal() else converted


def _put(path: Path, content: bytes, mode: int) -> None:
    with replace_atomically(path) as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(content)
