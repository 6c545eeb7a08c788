"""Checks of the state folder: it is there, ours, writable, private where it has to be, and its settings can be read."""

import re
import shlex

from appliance.core.doctor import Finding, Repair

from .facts import Check, Facts, Outcome, PathFacts

_PRIVATE = {"keys": "it holds the hashes of all keys", "local.key": "who has it may do everything here"}
_VARIABLE = re.compile(r"(APPLIANCE_\w+): ")  # a setting from the environment, by its name there
_OTHERS = 0o066
_EVERYBODY_WRITES = 0o002  # a group may: many systems give each user one of their own, and its write bit with it


def presence(facts: Facts) -> Outcome:
    """Say whether the state folder is there and may be looked into."""
    home = facts.home
    if home.exists and not home.is_reachable:
        owner = home.paths[0].owner if home.paths else "another user"
        return Finding(
            check="folders.presence",
            state="error",
            title=f"{home.path} may not be read by you",
            reason=f"it belongs to {owner}; run the doctor as root",
            mend=f"sudo APPLIANCE_HOME={shlex.quote(home.path)} appliance doctor",
        )
    if home.exists:
        return Finding(check="folders.presence", state="ok", title=f"the state folder is {home.path}")
    if not home.can_be_made:
        return Finding(
            check="folders.presence",
            state="error",
            title=f"{home.path} is not there and you may not make it",
            reason="nothing can be kept: neither models nor keys",
            mend=f"sudo install -d -m 700 -o $(id -un) {shlex.quote(home.path)}",
        )
    return Finding(
        check="folders.presence",
        state="note",
        title=f"{home.path} is not there yet",
        reason="the first start makes it",
        mend=f"install -d -m 700 {shlex.quote(home.path)}",
        repair=Repair(kind="make_folder", path=home.path, mode=0o700),
    )


def ownership(facts: Facts) -> Outcome:
    """Say what in the state folder the daemon could not write."""
    paths, home = facts.home.paths, facts.home.path
    if not facts.home.exists or not facts.home.is_reachable or not paths:
        return None
    owner = paths[0].owner
    if foreign := [path for path in paths if path.is_foreign]:
        return Finding(
            check="folders.owner",
            state="error",
            title=f"{_named(foreign)} {_belong(foreign)} to {foreign[0].owner}, the state folder to {owner}",
            reason="the daemon cannot change what belongs to somebody else",
            mend=facts.as_root(f"chown -R {owner}: {shlex.quote(home)}"),
        )
    if not facts.home.is_ours:
        return Finding(
            check="folders.owner",
            state="note",
            title=f"{home} belongs to {owner}, not to you",
            reason="commands that change something without a daemon have to run as that user",
            mend=f"sudo -u {owner} APPLIANCE_HOME={shlex.quote(home)} appliance doctor",
        )
    if unwritable := [path for path in paths if not path.is_writable]:
        return tuple(map(_unwritable, unwritable))
    return Finding(check="folders.owner", state="ok", title="everything in the state folder can be written")


def _unwritable(path: PathFacts) -> Finding:
    check, title = "folders.writable", f"{path.path} cannot be written"
    if path.mode & 0o200:
        return Finding(
            check=check,
            state="error",
            title=title,
            reason="its mode allows it, so the file system is mounted read-only or protects it otherwise",
            mend=f"findmnt --target {shlex.quote(path.path)}",
        )
    wanted = path.mode | (0o700 if path.is_folder else 0o600)
    return Finding(
        check=check,
        state="error",
        title=title,
        reason=f"its mode is {path.mode:o}",
        mend=f"chmod {wanted:o} {shlex.quote(path.path)}",
        repair=Repair(kind="set_mode", path=path.path, mode=wanted),
    )


def modes(facts: Facts) -> Outcome:
    """Say what others may read or write of the state folder that is none of their business."""
    if not facts.home.exists or not facts.home.is_reachable:
        return None
    findings = tuple(finding for path in facts.home.paths if (finding := _mode(path)) is not None)
    return findings or Finding(check="folders.mode", state="ok", title="keys are private")


def _mode(path: PathFacts) -> Finding | None:
    secret = None if path.is_folder else _PRIVATE.get(path.path.rpartition("/")[2])
    surplus = path.mode & (_OTHERS if secret else _EVERYBODY_WRITES)
    if not surplus:
        return None
    wanted = path.mode & ~surplus
    return Finding(
        check="folders.mode",
        state="error",
        title=f"{path.path} can be {'read' if surplus & 0o044 else 'written'} by other users (mode {path.mode:o})",
        reason=secret or "who writes to it decides what this machine runs",
        mend=f"chmod {wanted:o} {shlex.quote(path.path)}",
        repair=Repair(kind="set_mode", path=path.path, mode=wanted),
    )


def settings(facts: Facts) -> Outcome:
    """Say whether the settings can be used."""
    if not facts.home.is_reachable:
        return None
    if facts.home.settings_problem is None:
        return Finding(check="settings", state="ok", title="the settings are valid")
    variable = _VARIABLE.match(facts.home.settings_problem)
    edit = f"${{EDITOR:-vi}} {shlex.quote(facts.home.path + '/appliance.toml')}"
    return Finding(
        check="settings",
        state="error",
        title="the settings cannot be used: no daemon starts with them",
        reason=facts.home.settings_problem,
        mend=f"unset {variable[1]}" if variable else edit,
    )


def _named(paths: list[PathFacts]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return paths[0].path + more


def _belong(paths: list[PathFacts]) -> str:
    return "belong" if len(paths) > 1 else "belongs"


CHECKS: tuple[Check, ...] = (presence, ownership, modes, settings)
