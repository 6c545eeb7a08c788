"""`appliance keys`: who may use this machine."""

import argparse

from appliance.core.caller import SCOPES
from appliance.words import tr

from .arguments import Group, add_command, add_parser
from .context import Context
from .exits import DONE
from .output import print_json, table

DESCRIPTION = """
Make, list and revoke the keys that requests carry.

While no key exists, only this machine may ask, and it may do everything. From the first key on every request needs
one; the commands of this machine's administrator find theirs by themselves.
"""
SCOPE_HELP = "what it allows: use (ask), operate (also load and unload models), admin (everything); default: use"
HOW_TO_USE = """\
{key}

This is the only time that the key '{name}' (scope {scope}) is shown. To use it:
  curl -H 'Authorization: Bearer {key}' {url}/v1/models
  OpenAI(base_url="{url}/v1", api_key="{key}")
  APPLIANCE_API_KEY={key} appliance chat Hello\
"""


def register(group: Group) -> None:
    """Add the group and its commands."""
    examples = """
    appliance keys create laptop
    appliance keys list
    appliance keys revoke laptop
    """
    parser = add_parser(group, "keys", "make, list and revoke keys", DESCRIPTION, examples)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    create = add_command(
        commands,
        "create",
        _create,
        "make a key and show it once",
        "Make a key and show it. Only its hash is kept, so a key that is lost is revoked and made anew.",
        """
        appliance keys create laptop
        appliance keys create deploy --scope operate
        KEY=$(appliance keys create ci --json | jq -r .key)
        """,
    )
    create.add_argument("name", metavar="NAME", help="who or what it is for, such as 'laptop'")
    create.add_argument("--scope", choices=SCOPES, default="use", help=SCOPE_HELP)
    summary = "list the keys' names and scopes"
    add_command(commands, "list", _list, summary, "List the keys' names and scopes.", "appliance keys list --json")
    revoke = add_command(
        commands,
        "revoke",
        _revoke,
        "make a key invalid",
        "Make a key invalid from now on. Answers under way are finished.",
        "appliance keys revoke laptop",
    )
    revoke.add_argument("name", metavar="NAME", help="the key's name")


def _create(arguments: argparse.Namespace, context: Context) -> int:
    # Imported here, as below: the stores are only needed without a daemon.
    from .offline import daemon_or_files

    created = daemon_or_files(context).create_key(arguments.name, arguments.scope)
    if context.is_json:
        print_json(created)
    else:
        url = context.client().url
        print(tr(HOW_TO_USE, key=created.key, name=created.name, scope=created.scope, url=url))
    return DONE


def _list(arguments: argparse.Namespace, context: Context) -> int:
    from .offline import daemon_or_files

    keys = daemon_or_files(context).keys()
    if context.is_json:
        print_json(keys)
    elif keys:
        rows = [(key.name, key.scope, " ".join(map("=".join, key.options.items()))) for key in keys]
        print(table(("NAME", "SCOPE", "OPTIONS"), rows))
    else:
        print(tr("there is no key: only this machine may ask; 'appliance keys create NAME' makes one"))
    return DONE


def _revoke(arguments: argparse.Namespace, context: Context) -> int:
    from .offline import daemon_or_files

    daemon_or_files(context).revoke_key(arguments.name)
    if context.is_json:
        print_json({"name": arguments.name, "is_revoked": True})
    else:
        print(tr("the key '{name}' is not valid any more", name=arguments.name))
    return DONE
