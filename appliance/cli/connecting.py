"""Connecting clients: their configuration is merged, shown, written and put back. `connect.py` holds the arguments."""

import argparse
import difflib
import platform
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

from appliance.client import Client as Daemon
from appliance.client import ClientError, NoDaemon
from appliance.words import tr

from .clients.client import Box, Client, Places
from .clients.connections import ChangedSince, Connections, Written
from .clients.detect import where
from .clients.entry import CannotMerge
from .clients.known import CLIENTS
from .context import Context
from .exits import DONE, REFUSED, WRONG_USAGE, CommandError
from .output import print_json, table

_UNMADE_KEY = "A-KEY-THAT-IS-MADE"


def connect(arguments: argparse.Namespace, context: Context) -> int:
    """List the clients, connect one, or undo that; return the exit code. Raises: CommandError."""
    places, connections = Places(context.environ), Connections(context.home)
    if arguments.force and not arguments.undo:
        raise CommandError(tr("--force belongs to --undo"), WRONG_USAGE)
    if arguments.client is None:
        if arguments.undo or arguments.only_prints:
            raise CommandError(tr("which program? 'appliance connect' lists them"), WRONG_USAGE)
        return _list(context, places, connections)
    client = next((known for known in CLIENTS if known.name == arguments.client.lower()), None)
    if client is None:
        names = ", ".join(known.name for known in CLIENTS)
        problem = tr("{name!r} is not known; known are {names}", name=arguments.client, names=names)
        raise CommandError(problem, WRONG_USAGE)
    if arguments.undo:
        return _undo(client, context, connections, is_forced=arguments.force)
    return _connect(client, arguments, context, connections)


def _list(context: Context, places: Places, connections: Connections) -> int:
    rows = [
        {
            "client": client.name,
            "installed": where(client, places),
            "file": str(client.file(places)) if client.file else None,
            "connected": [change.path or "by hand" for change in connections.changes(client.name)],
        }
        for client in CLIENTS
    ]
    if context.is_json:
        print_json(rows)
        return DONE
    shown = [
        (
            str(row["client"]),
            tr("yes") if row["installed"] else "-",
            tr("yes") if row["connected"] else "-",
            str(row["file"] or tr("by hand")),
        )
        for row in rows
    ]
    print(table(("CLIENT", "INSTALLED", "CONNECTED", "CONFIGURED IN"), shown))
    return DONE


def _connect(client: Client, arguments: argparse.Namespace, context: Context, connections: Connections) -> int:
    daemon = context.client()
    path = arguments.file or (client.file(Places(context.environ)) if client.file else None)
    if path is not None and client.entry is None:
        problem = tr("{program} reads no file that could be written; leave out --file", program=client.title)
        raise CommandError(problem, WRONG_USAGE)
    box = _box(daemon, arguments.model, arguments.key)
    key_name = None
    if arguments.key is None and (names := _key_names(daemon)):
        if path is not None:
            _merged(client, path, box)  # refused before a key is made
        key_name = _key_name(client.name, names)
        key = _UNMADE_KEY if arguments.only_prints else daemon.create_key(key_name).key
        box = replace(box, key=key)
    if path is None:
        return _tell(client, context, connections, box, None if arguments.only_prints else key_name)
    before, after = _merged(client, path, box)
    lines = _changed_lines(before, after)
    report: dict[str, object] = {"client": client.name, "file": str(path), "lines": lines}
    shown = [f"{path}:", *(f"  {line}" for line in lines or [tr("(as it is already)")]), ""]
    if not arguments.only_prints:
        written = _write(connections, client.name, path, after, key_name, daemon)
        shown += _written(client.name, written, key_name)
        if written.former_key:
            shown[-1:] = [tr("of the one before: {what}", what=_revoked(daemon, written.former_key)), ""]
        report |= {"backup": str(written.backup) if written.backup else None, "key_name": key_name}
    steps = client.steps(box) if client.file else tr("Start the program with {path}.", path=path)
    _report(context, report | {"steps": steps}, *shown, steps)
    return DONE


def _tell(client: Client, context: Context, connections: Connections, box: Box, key_name: str | None) -> int:
    """Say what a person does by hand; a key that was made for it is remembered, so that --undo ends it."""
    told = [client.steps(box)]
    if key_name:
        undo = f"appliance connect {client.name} --undo"
        told.append(tr("The key '{name}' was made for it; '{undo}' ends it.", name=key_name, undo=undo))
        if former := connections.note_key(client.name, key_name):
            told.append(tr("Of the one before: {what}.", what=_revoked(context.client(), former)))
    _report(context, {"client": client.name, "steps": told[0], "key_name": key_name}, *told)
    return DONE


def _write(
    connections: Connections, client: str, path: Path, text: str, key_name: str | None, daemon: Daemon
) -> Written:
    """Write a client's file. The key that stood there is good until that is done, and a new one no longer if it fails.

    Raises: OSError.
    """
    try:
        return connections.write(client, path, text, key_name)
    except OSError:
        if key_name:
            daemon.revoke_key(key_name)
        raise


def _box(daemon: Daemon, model: str | None, key: str | None) -> Box:
    view = daemon.model(model or daemon.status().default_model)
    return Box(
        url=daemon.url,
        key=key,
        model=view.name,
        context_tokens=view.context_tokens,
        reads_pictures="vision" in view.capabilities,
    )


def _written(client: str, written: Written, key_name: str | None) -> list[str]:
    backup = written.backup or tr("nothing, there was no such file")
    lines = [
        tr("written; what it held before: {backup}", backup=backup),
        tr("to go back: appliance connect {client} --undo", client=client),
    ]
    if key_name:
        lines.append(tr("the key '{name}' was made for it; --undo ends it, too", name=key_name))
    return [*lines, ""]


def _merged(client: Client, path: Path, box: Box) -> tuple[str, str]:
    """Return what the file holds and what it shall hold."""
    assert client.entry is not None
    try:
        before = path.read_bytes().decode() if path.exists() else ""
        return before, client.entry(box).merge(before)
    except CannotMerge as error:
        why = str(error)
    except UnicodeDecodeError:
        why = tr("it is not text in UTF-8")
    problem = "{path} is left as it is: {why}; mend it, or name another with --file and take the lines over by hand"
    raise CommandError(tr(problem, path=path, why=why), REFUSED)


def _changed_lines(before: str, after: str) -> list[str]:
    differences = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in list(differences)[2:] if not line.startswith("@@")]


def _key_names(daemon: Daemon) -> list[str]:
    try:
        keys = daemon.keys()
    except ClientError as error:
        if error.status not in (401, 403):
            raise
        message = "the box wants a key, and only its administrator makes one; give the one that you got with --key"
        raise CommandError(tr(message), REFUSED) from error
    return [key.name for key in keys]


def _key_name(client: str, taken: Sequence[str]) -> str:
    """Return a name that no key has: the one before stays valid until the new one is written."""
    name = f"{client}.{re.sub(r'[^A-Za-z0-9._-]', '-', platform.node())[:40] or 'here'}"
    numbered = (f"{name}.{number}" for number in count(2))
    return next(free for free in chain([name], numbered) if free not in taken)


def _undo(client: Client, context: Context, connections: Connections, *, is_forced: bool) -> int:
    try:
        change = connections.undo(client.name, is_forced=is_forced)
    except ChangedSince as error:
        message = "{path} was changed since 'appliance connect' wrote it; --force goes back all the same and keeps it"
        raise CommandError(tr(message, path=error), REFUSED) from error
    if change is None:
        message = tr("nothing was written for {program}, so there is nothing to put back", program=client.title)
        raise CommandError(message, REFUSED)
    if change.path:
        lines = [tr("{path} is as it was" if change.backup else "{path} is gone, as before", path=change.path)]
    else:
        lines = [tr("Take out of {program} what you entered there.", program=client.title)]
    if change.key_name:
        lines.append(_revoked(context.client(), change.key_name))
    _report(context, {"client": client.name, "file": change.path, "was_there": change.backup is not None}, *lines)
    return DONE


def _revoked(daemon: Daemon, name: str) -> str:
    try:
        daemon.revoke_key(name)
    except NoDaemon:
        return tr("its key is still valid: no daemon answers; 'appliance keys revoke {name}' ends it", name=name)
    except ClientError as error:
        return tr("its key '{name}' was not revoked: {problem}", name=name, problem=error.message)
    return tr("the key '{name}' is not valid any more", name=name)


def _report(context: Context, value: dict[str, object], *lines: str) -> None:
    if context.is_json:
        print_json(value)
    else:
        print("\n".join(lines))
