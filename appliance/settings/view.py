"""One setting as a form or a list shows it: what it is for, what it may be, where its value comes from."""

from types import UnionType
from typing import Any, get_args

from appliance.core.settings_view import SettingKind, SettingOrigin, SettingValue, SettingView
from models.secret_fields import SECRETS

from .descriptions import DESCRIPTIONS
from .load import KINDS, LoadedSettings, leaves
from .rules import CHOICES, NONE_MEANS, RANGES, SIZES
from .tree import Settings
from .values import accepted, hidden

_DEFAULTS = dict(leaves(Settings()))
_NAMES: dict[Any, SettingKind] = {
    int: "integer",
    float: "number",
    bool: "bool",
    str: "text",
    tuple[str, ...]: "list",
    dict[str, str]: "table",
}


def view_of(key: str, running: Any, source: str, at_next_start: LoadedSettings, *, needs_restart: bool) -> SettingView:
    """Return a setting with the value that is in use and the one that the file alone would give."""
    kind = KINDS[key]
    is_optional = isinstance(kind, UnionType)
    low, high = RANGES.get(key, (None, None))
    origin = origin_of(source)
    is_overridden = origin in ("environment", "flag")
    next_value = running if is_overridden else dict(leaves(at_next_start.settings))[key]
    return SettingView(
        key=key,
        description=DESCRIPTIONS[key],
        value=shown(key, running),
        next_value=shown(key, next_value),
        default=shown(key, _DEFAULTS[key]),
        origin=origin,
        source=source,
        kind=_kind(key, kind),
        accepted=accepted(key, kind),
        choices=CHOICES.get(key, ()),
        low=low,
        high=high,
        none_means=NONE_MEANS.get(key, "to let the machine choose") if is_optional else None,
        is_secret=key.endswith(SECRETS),
        needs_restart=needs_restart,
        overridden_by=source if is_overridden else None,
    )


def shown(key: str, value: Any) -> SettingValue:
    """Return a value as JSON has it; of a secret only that there is one."""
    value = hidden(key, value)
    return list(value) if isinstance(value, tuple) else value


def origin_of(source: str) -> SettingOrigin:
    """Return which of the four places a source is."""
    if source == "default":
        return "default"
    if source.startswith("--"):
        return "flag"
    return "environment" if source.startswith("APPLIANCE_") else "file"


def _kind(key: str, kind: Any) -> SettingKind:
    if key in CHOICES:
        return "choice"
    if key.endswith(SIZES):
        return "bytes"
    plain = next(part for part in get_args(kind) if part is not type(None)) if isinstance(kind, UnionType) else kind
    return _NAMES[plain]
