"""`appliance config show`: every setting, its value and where it came from. `config_change.py` changes one."""

import argparse

from appliance.core.quirks import QUIRKS
from appliance.settings import LoadedSettings, load
from appliance.words import tr

from . import config_change
from .arguments import Group, add_command, add_parser
from .context import SETTINGS_FILE, Context
from .exits import DONE
from .output import print_json, table

_EXAMPLES = """
appliance config show
appliance config set server.port 9000
"""


def register(group: Group) -> None:
    """Add the group and its commands."""
    examples = """
    appliance config show
    APPLIANCE_SERVER__PORT=9000 appliance config show
    """
    parser = add_parser(group, "config", "show and change the settings", "Show and change the settings.", _EXAMPLES)
    description = """
    Show every setting, its value and where it came from: the default, the settings file, or an environment variable.

    Settings come from appliance.toml in the state folder ($APPLIANCE_HOME); a variable APPLIANCE_SECTION__KEY goes
    before the file, and a flag of 'appliance serve' before both. A running daemon has read them at its start.

    Below them stand the normalizers: what is done about habits of single clients, each of which a setting switches off.
    """
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_command(commands, "show", _show, "show every value and where it came from", description, examples)
    config_change.register(commands)


def read_settings(context: Context) -> LoadedSettings:
    """Return the settings that a daemon started now, without flags, would have. Raises: SettingsError."""
    return load(context.settings_path(), context.environ, {})


def _show(arguments: argparse.Namespace, context: Context) -> int:
    entries = read_settings(context).entries()
    if context.is_json:
        print_json([{"key": key, "value": value, "origin": origin} for key, value, origin in entries])
        return DONE
    file = context.settings_path() or tr("none ({file})", file=SETTINGS_FILE)
    print(tr("# state: {home}; settings file: {file}", home=context.home, file=file))
    quirks = {quirk.setting: quirk for quirk in QUIRKS}
    rows = [(key, _shown(key, value), tr(origin)) for key, value, origin in entries if key not in quirks]
    print(table(("SETTING", "VALUE", "FROM"), rows))
    states = {key: (_shown(key, value), tr(origin)) for key, value, origin in entries if key in quirks}
    print(f"\n{tr('# normalizers: what is done about habits of single clients')}")
    does = {key: f"{quirk.client}: {tr(quirk.does)}" for key, quirk in quirks.items()}
    normalizers = [(key, *states[key], quirk.dialect, does[key]) for key, quirk in quirks.items()]
    print(table(("SETTING", "VALUE", "FROM", "API", "WHAT IT DOES"), normalizers))
    return DONE


_OFF = ("server.ollama_port", "cache.semantic_model", "jobs.batch_window")
"""None switches these off, or says that nothing limits them."""


def _shown(key: str, value: object) -> str:
    if isinstance(value, bool):
        return tr("on") if value else tr("off")
    if isinstance(value, tuple):
        return ", ".join(value) or tr("(none)")
    if value is None:
        is_none = key in _OFF or key.startswith(("downloads.", "notify."))
        return tr("(none)") if is_none else tr("(chosen by the machine)")
    return str(value)
