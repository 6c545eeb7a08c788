"""The wire structs of `/admin/v1/settings`: every setting as a form could show it, and what is to be changed."""

from typing import Literal

import msgspec

SettingOrigin = Literal["default", "file", "environment", "flag"]
SettingKind = Literal["text", "integer", "number", "bytes", "choice", "list", "table", "bool"]
SettingValue = str | int | float | bool | list[str] | dict[str, str] | None
"""A value in JSON. `"(hidden)"` stands for a secret that is set; None is a value of its own (see `none_means`)."""


class SettingView(msgspec.Struct, frozen=True, kw_only=True):
    """One setting. `value` is what the daemon works with, from `source` (a file's place, a variable or a flag).

    `next_value` is what the next start would take, which differs once the file was changed. `accepted` says in words
    what may be written; `choices`, `low` and `high` say it to a form. `none_means` says what None does, where it is
    allowed. `needs_restart`: a change counts from the next start on. `overridden_by` is the variable or flag that goes
    before the file: what is written there counts only without it.
    """

    key: str
    description: str
    value: SettingValue
    next_value: SettingValue
    default: SettingValue
    origin: SettingOrigin
    source: str
    kind: SettingKind
    accepted: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    none_means: str | None = None
    is_secret: bool = False
    needs_restart: bool = True
    overridden_by: str | None = None


class SettingsView(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/settings`, in the order of the tree. `file` is the settings file, which need not
    exist yet; `problem` says why the next start would refuse it."""

    file: str
    settings: tuple[SettingView, ...]
    problem: str | None = None


class ChangeSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of `PATCH /admin/v1/settings`: all of it is done or nothing.

    `set` holds values by their keys, either of their own type or as text, as a variable would say them (`"32 MiB"`,
    `"a, b"`, `"none"`). `unset` names the keys that go back to their defaults.
    """

    set: dict[str, SettingValue] = {}
    unset: tuple[str, ...] = ()


class SettingChange(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one key: the values in the file before and now (the default where it says nothing).

    `takes_effect`: "now"; at the next "restart"; or "overridden": not while `overridden_by` goes before the file.
    """

    key: str
    before: SettingValue
    value: SettingValue
    takes_effect: Literal["now", "restart", "overridden"]
    overridden_by: str | None = None


class ChangedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `PATCH /admin/v1/settings`. `backup` is the file as it was, None where there was none."""

    file: str
    backup: str | None
    changes: tuple[SettingChange, ...]
