"""`appliance config show`: every setting, its value and where it came from."""

import argparse

from appliance.settings import LoadedSettings, load

from .arguments import Group, add_command, add_parser
from .context import SETTINGS_FILE, Context
from .exits import DONE
from .output import print_json, table


def register(group: Group) -> None:
    """Add the group and its commands."""
    examples = """
    appliance config show
    APPLIANCE_SERVER__PORT=9000 appliance config show
    """
    parser = add_parser(group, "config", "show the settings", "Show the settings.", examples)
    description = """
    Show every setting, its value and where it came from: the default, the settings file, or an environment variable.

    Settings come from appliance.toml in the state folder ($APPLIANCE_HOME); a variable APPLIANCE_SECTION__KEY goes
    before the file, and a flag of 'appliance serve' before both. A running daemon has read them at its start.
    """
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_command(commands, "show", _show, "show every value and where it came from", description, examples)


def read_settings(context: Context) -> LoadedSettings:
    """Return the settings that a daemon started now, without flags, would have. Raises: SettingsError."""
    return load(context.settings_path(), context.environ, {})


def _show(arguments: argparse.Namespace, context: Context) -> int:
    entries = read_settings(context).entries()
    if context.is_json:
        print_json([{"key": key, "value": value, "origin": origin} for key, value, origin in entries])
        return DONE
    print(f"# state: {context.home}; settings file: {context.settings_path() or f'none ({SETTINGS_FILE})'}")
    print(table(("SETTING", "VALUE", "FROM"), [(key, _shown(key, value), origin) for key, value, origin in entries]))
    return DONE


_OFF = ("server.ollama_port", "cache.semantic_model", "jobs.batch_window")
"""None switches these off, or says that nothing limits them."""


def _shown(key: str, value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "(none)"
    if value is None:
        is_none = key in _OFF or key.startswith(("downloads.", "notify."))
        return "(none)" if is_none else "(chosen by the machine)"
    return str(value)
