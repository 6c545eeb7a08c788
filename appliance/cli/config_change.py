"""`appliance config set` and `unset`: one setting, through the daemon or, without one, in the file itself."""

import argparse

from appliance.core.settings_view import ChangedSettings, ChangeSettings, SettingChange
from appliance.words import tr

from .arguments import Group, add_command
from .context import SETTINGS_FILE, Context
from .exits import DONE
from .output import print_json

_SET_EXAMPLES = """
appliance config set scheduler.keep_alive_s 600
appliance config set cache.memory_bytes "128 MiB"
appliance config set models.pinned guide,qwen3
"""
_UNSET_EXAMPLES = """
appliance config unset scheduler.keep_alive_s
appliance config unset models.pinned --json
"""


def register(commands: Group) -> None:
    """Add both commands."""
    description = """
    Write one value into the settings file. Its comments and its order stay, and the file as it was is kept beside it.
    A value that is not good is refused before anything is written.
    """
    setting = add_command(commands, "set", _set, "change a setting", description, _SET_EXAMPLES)
    setting.add_argument("key", metavar="KEY", help="as 'appliance config show' lists it")
    setting.add_argument("value", metavar="VALUE", help='a size may be "32 MiB", a list a,b; "none" is no value')
    description = "Take one value out of the settings file, so that its default counts again."
    unsetting = add_command(commands, "unset", _unset, "go back to a default", description, _UNSET_EXAMPLES)
    unsetting.add_argument("key", metavar="KEY", help="as 'appliance config show' lists it")


def _set(arguments: argparse.Namespace, context: Context) -> int:
    return _change(ChangeSettings(set={arguments.key: arguments.value}), context)


def _unset(arguments: argparse.Namespace, context: Context) -> int:
    return _change(ChangeSettings(unset=(arguments.key,)), context)


def _change(order: ChangeSettings, context: Context) -> int:
    client = context.client()
    is_daemons = context.names_daemon or client.is_healthy()
    done = client.change_settings(order) if is_daemons else _change_file(order, context)
    if context.is_json:
        print_json(done)
        return DONE
    for change in done.changes:
        now, before = _value(change.value), _value(change.before)
        print(tr("{key} = {now}, was {before}; {when}", key=change.key, now=now, before=before, when=_when(change)))
    if done.backup:
        print(tr("{file}; what it held before: {backup}", file=done.file, backup=done.backup))
    else:
        print(done.file)
    return DONE


def _change_file(order: ChangeSettings, context: Context) -> ChangedSettings:
    # Imported here: a daemon that answers needs none of it
    from appliance.settings import SettingsBook, load

    from .offline import act_as_owner

    act_as_owner(context.home)
    path = context.home / SETTINGS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    return SettingsBook(path, load(None, context.environ, {})).change(order)


def _when(change: SettingChange) -> str:
    if change.takes_effect == "overridden":
        return tr("{place} goes before it", place=change.overridden_by)
    return tr("it counts now") if change.takes_effect == "now" else tr("it counts from the next start on")


def _value(value: object) -> str:
    if isinstance(value, bool):
        return tr("on") if value else tr("off")
    if value is None or value == []:
        return tr("none") if value is None else tr("(none)")
    return ",".join(value) if isinstance(value, list) else str(value)
