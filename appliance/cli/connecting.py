"""Connecting clients: their configuration is merged, shown, written and put back. `connect.py` holds the arguments."""

import argparse
import difflib
import platform
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from appliance.client import Client as Daemon
from appliance.client import ClientError, NoDaemon

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
        raise CommandError("--force belongs to --undo", WRONG_USAGE)
    if arguments.client is None:
        if arguments.undo or arguments.only_prints:
            raise CommandError("which program? 'appliance connect' lists them", WRONG_USAGE)
        return _list(context, places, connections)
    client = next((known for known in CLIENTS if known.name == arguments.client.lower()), None)
    if client is None:
        names = ", ".join(known.name for known in CLIENTS)
        raise CommandError(f"{arguments.client!r} is not known; known are {names}", WRONG_USAGE)
    if arguments.undo:
        return _undo(client, context, connections, is_forced=arguments.force)
    return _connect(client, arguments, context, connections)


def _list(context: Context, places: Places, connections: Connections) -> int:
    rows = [
        {
            "client": client.name,
            "installed": where(client, places),
            "file": str(client.file(places)) if client.file else None,
            "connected": [change.path for change in connections.changes(client.name)],
        }
        for client in CLIENTS
    ]
    if context.is_json:
        print_json(rows)
        return DONE
    shown = [
        (
            str(row["client"]),
            "yes" if row["installed"] else "-",
            "yes" if row["connected"] else "-",
            str(row["file"] or "by hand"),
        )
        for row in rows
    ]
    print(table(("CLIENT", "INSTALLED", "CONNECTED", "CONFIGURED IN"), shown))
    return DONE


def _connect(client: Client, arguments: argparse.Namespace, context: Context, connections: Connections) -> int:
    daemon = context.client()
    path = arguments.file or (client.file(Places(context.environ)) if client.file else None)
    if path is not None and client.entry is None:
        raise CommandError(f"{client.title} reads no file that could be written; leave out --file", WRONG_USAGE)
    box = _box(daemon, arguments.model, arguments.key)
    key_name = None
    if arguments.key is None and _has_keys(daemon):
        if path is not None:
            _merged(client, path, box)  # refused before a key is made
        key_name, key = _key_name(client.name), _UNMADE_KEY
        if not arguments.only_prints:
            key = _made_key(daemon, key_name)
        box = replace(box, key=key)
    if path is None:
        told = [client.steps(box)]
        if key_name and not arguments.only_prints:
            told.append(f"The key '{key_name}' was made for it; 'appliance keys revoke {key_name}' ends it.")
        _report(context, {"client": client.name, "steps": told[0], "key_name": key_name}, *told)
        return DONE
    before, after = _merged(client, path, box)
    lines = _changed_lines(before, after)
    report: dict[str, object] = {"client": client.name, "file": str(path), "lines": lines}
    shown = [f"{path}:", *(f"  {line}" for line in lines or ["(as it is already)"]), ""]
    if not arguments.only_prints:
        written = connections.write(client.name, path, after, key_name)
        shown += _written(client.name, written, key_name)
        report |= {"backup": str(written.backup) if written.backup else None, "key_name": key_name}
    steps = client.steps(box) if client.file else f"Start the program with {path}."
    _report(context, report | {"steps": steps}, *shown, steps)
    return DONE


def _box(daemon: Daemon, model: str | None, key: str | None) -> Box:
    view = daemon.model(model or daemon.status().default_model)
    return Box(url=daemon.url, key=key, model=view.name, context_tokens=view.context_tokens)


def _written(client: str, written: Written, key_name: str | None) -> list[str]:
    lines = [
        f"written; what it held before: {written.backup or 'nothing, there was no such file'}",
        f"to go back: appliance connect {client} --undo",
    ]
    return [*lines, *([f"the key '{key_name}' was made for it; --undo ends it, too"] if key_name else []), ""]


def _merged(client: Client, path: Path, box: Box) -> tuple[str, str]:
    """Return what the file holds and what it shall hold."""
    assert client.entry is not None
    try:
        before = path.read_bytes().decode() if path.exists() else ""
        return before, client.entry(box).merge(before)
    except CannotMerge as error:
        why = str(error)
    except UnicodeDecodeError:
        why = "it is not text in UTF-8"
    raise CommandError(
        f"{path} is left as it is: {why}; mend it, or name another with --file and take the lines over by hand", REFUSED
    )


def _changed_lines(before: str, after: str) -> list[str]:
    differences = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in list(differences)[2:] if not line.startswith("@@")]


def _has_keys(daemon: Daemon) -> bool:
    try:
        return bool(daemon.keys())
    except ClientError as error:
        if error.status not in (401, 403):
            raise
        message = "the box wants a key, and only its administrator makes one; give the one that you got with --key"
        raise CommandError(message, REFUSED) from error


def _key_name(client: str) -> str:
    return f"{client}.{re.sub(r'[^A-Za-z0-9._-]', '-', platform.node())[:40] or 'here'}"


def _made_key(daemon: Daemon, name: str) -> str:
    """Return a new key, which takes the place of the one that this machine had for the client."""
    with suppress(ClientError):
        daemon.revoke_key(name)
    return daemon.create_key(name).key


def _undo(client: Client, context: Context, connections: Connections, *, is_forced: bool) -> int:
    try:
        change = connections.undo(client.name, is_forced=is_forced)
    except ChangedSince as error:
        message = f"{error} was changed since 'appliance connect' wrote it; --force goes back all the same and keeps it"
        raise CommandError(message, REFUSED) from error
    if change is None:
        raise CommandError(f"nothing was written for {client.title}, so there is nothing to put back", REFUSED)
    done = "as it was" if change.backup else "gone, as before"
    lines = [f"{change.path} is {done}"]
    if change.key_name:
        lines.append(_revoked(context.client(), change.key_name))
    _report(context, {"client": client.name, "file": change.path, "was_there": change.backup is not None}, *lines)
    return DONE


def _revoked(daemon: Daemon, name: str) -> str:
    try:
        daemon.revoke_key(name)
    except NoDaemon:
        return f"its key is still valid: no daemon answers; 'appliance keys revoke {name}' ends it"
    except ClientError as error:
        return f"its key '{name}' was not revoked: {error.message}"
    return f"the key '{name}' is not valid any more"


def _report(context: Context, value: dict[str, object], *lines: str) -> None:
    if context.is_json:
        print_json(value)
    else:
        print("\n".join(lines))
