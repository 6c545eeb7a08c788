"""Findings, keys and settings as rows, and what is said of the chosen one. Pure; knows no widget."""

from appliance.core.admin import CreatedKey, KeyInfo
from appliance.core.caller import Scope
from appliance.core.doctor import Finding, State
from appliance.core.settings_view import SettingChange, SettingValue, SettingView
from appliance.words import tr
from tui.widgets.table import Column, Row
from tui.widgets.tones import Tone, Toned, toned

FINDING_COLUMNS = (
    Column("state", "State", 9),
    Column("title", "What was found"),
    Column("mend", "Command", 50, from_width=140),
)
KEY_COLUMNS = (Column("name", "Name"), Column("scope", "Scope", 9), Column("options", "Options", 30))
SETTING_COLUMNS = (
    Column("key", "Setting", 31),
    Column("value", "Value"),
    Column("origin", "From", 11),
    Column("source", "Where", 26, from_width=110),
    Column("next", "Next start", 24, from_width=140),
)
SIGNS: dict[State, tuple[str, Tone]] = {
    "ok": ("✓", "success"),
    "note": ("●", "secondary"),
    "warning": ("▲", "warning"),
    "error": ("✕", "error"),
}
_MIB = 2**20


def finding_row(finding: Finding) -> Row:
    """Return the row of a finding."""
    sign, tone = SIGNS[finding.state]
    mend = toned(finding.mend or "", "muted")
    return Row(
        finding.check, {"state": toned(f"{sign} {tr(finding.state)}", tone), "title": finding.title, "mend": mend}
    )


def finding_lines(finding: Finding) -> Toned:
    """Return why it is so, and the command that mends it."""
    parts: list[tuple[str, Tone]] = [(finding.title, "bold")]
    if finding.reason:
        parts.append((f"\n{finding.reason}", ""))
    if finding.mend:
        parts.append((f"\n$ {finding.mend}", "primary"))
    if finding.repair:
        parts.append(("\n" + tr("On that machine `appliance doctor --fix` mends it, too."), "muted"))
    return tuple(parts)


def key_row(key: KeyInfo) -> Row:
    """Return the row of a key."""
    options = " ".join(f"{name}={value}" for name, value in key.options.items())
    return Row(key.name, {"name": key.name, "scope": key.scope, "options": toned(options, "muted")})


def scope_choices() -> list[tuple[Scope, str]]:
    """Return what a key may be made for."""
    return [
        ("use", tr("use: ask models")),
        ("operate", tr("operate: also load, unload and install models")),
        ("admin", tr("admin: everything, also keys and settings")),
    ]


def keys_lines(*, has_keys: bool) -> Toned:
    """Return what holds for all keys."""
    if has_keys:
        return toned(
            tr("Every request needs one of these keys. Only their hashes are kept: none can be shown again."), "muted"
        )
    sentence = tr("There is no key: only this machine may ask, and it may do everything. n makes the first one.")
    return toned(sentence, "muted")


def created_text(created: CreatedKey, url: str) -> str:
    """Return how to use a key that was made."""
    said = tr("This is the only time that it is shown. To use it:")
    ask = f"curl -H 'Authorization: Bearer {created.key}' {url}/v1/models"
    return f"{created.key}\n\n{said}\n\n{ask}\n\nAPPLIANCE_API_KEY={created.key} appliance tui"


def setting_row(setting: SettingView) -> Row:
    """Return the row of a setting. What the next start would take stands beside what counts now, if it differs."""
    is_changed = setting.next_value != setting.value
    sign: tuple[tuple[str, Tone], ...] = (("▲ ", "warning"),) if is_changed else ()
    is_default = setting.origin == "default"
    cells: dict[str, Toned] = {
        "key": setting.key,
        "value": (*sign, (shown(setting, setting.value), "muted" if is_default else "")),
        "origin": toned(tr(setting.origin), "muted" if is_default else "primary"),
        "source": toned("" if is_default else setting.source, "muted"),
        "next": toned(shown(setting, setting.next_value) if is_changed else "", "warning"),
    }
    return Row(setting.key, cells)


def setting_lines(setting: SettingView) -> Toned:
    """Return what a setting is for and what may be written."""
    came_from = tr(
        "from {source}; the default is {value}", source=tr(setting.source), value=shown(setting, setting.default)
    )
    parts: list[tuple[str, Tone]] = [
        (setting.key, "bold"),
        (f"  {tr(setting.description)}", ""),
        ("\n" + came_from, "muted"),
        ("\n" + tr("write {accepted}", accepted=setting.accepted), "muted"),
    ]
    if setting.overridden_by:
        said = tr(
            "▲ {name} goes before the file: what is written there counts only without it", name=setting.overridden_by
        )
        parts.append((f"\n{said}", "warning"))
    elif setting.next_value != setting.value:
        said = tr("▲ from the next start on: {value}", value=shown(setting, setting.next_value))
        parts.append((f"\n{said}", "warning"))
    return tuple(parts)


def shown(setting: SettingView, value: SettingValue) -> str:
    """Return a value for people."""
    return as_text(setting, value) or tr("(nothing)")


def as_text(setting: SettingView, value: SettingValue) -> str:
    """Return a value as it may be typed."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case list():
            return ", ".join(value)
        case dict():
            return ",".join(f"{name}={each}" for name, each in value.items())
        case int() if setting.kind == "bytes" and value and value % _MIB == 0:
            return f"{value // _MIB} MiB" if value % 2**30 else f"{value // 2**30} GiB"
        case float():
            return f"{value:g}"
    return str(value)


def changed_sentence(change: SettingChange) -> str:
    """Return what became of a change."""
    if change.takes_effect == "now":
        return tr("{key} counts from now on", key=change.key)
    if change.takes_effect == "overridden":
        return tr("{key} is written, but {name} goes before it", key=change.key, name=change.overridden_by)
    return tr("{key} is written and counts from the next start on", key=change.key)
