"""What the state folder looks like from the outside: owners, modes, leftovers."""

import os
import pwd
import stat
from pathlib import Path

from appliance.client.runfiles import DAEMON_FILE, KEY_FILE
from appliance.ops.doctor.facts import HomeFacts, PathFacts

_READ_ONLY = ("appliance.toml",)
_WRITTEN = ("keys", "models", "models/manifests", "models/blobs", "run", *map(str, (KEY_FILE, DAEMON_FILE)), "logs")


def look_at_home(home: Path, settings_problem: str | None) -> HomeFacts:
    """Return what can be told of the folder without opening a file. Raises: OSError."""
    try:
        owner_id = home.stat().st_uid
        is_ours = os.geteuid() in (0, owner_id)
    except PermissionError:
        return HomeFacts(path=str(home), is_reachable=False, settings_problem=settings_problem)
    except FileNotFoundError:
        parent = next(folder for folder in home.parents if folder.exists())
        can_be_made = os.access(parent, os.W_OK | os.X_OK)
        return HomeFacts(path=str(home), exists=False, can_be_made=can_be_made, settings_problem=settings_problem)
    if not os.access(home, os.R_OK | os.X_OK):
        return HomeFacts(
            path=str(home),
            is_ours=is_ours,
            is_reachable=False,
            paths=(_path(home, owner_id),),
            settings_problem=settings_problem,
        )
    names = [name for name in (*_READ_ONLY, *_WRITTEN) if _exists(home / name)]
    return HomeFacts(
        path=str(home),
        is_ours=is_ours,
        paths=(_path(home, owner_id), *(_path(home / name, owner_id, name in _WRITTEN) for name in names)),
        run_files=tuple(str(home / file) for file in (KEY_FILE, DAEMON_FILE) if _exists(home / file)),
        settings_problem=settings_problem,
    )


def _path(path: Path, owner_id: int, is_written: bool = True) -> PathFacts:
    status = path.stat()
    is_folder = stat.S_ISDIR(status.st_mode)
    wanted = os.W_OK | os.X_OK if is_folder else os.W_OK
    return PathFacts(
        path=str(path),
        is_folder=is_folder,
        mode=stat.S_IMODE(status.st_mode),
        owner=_user_name(status.st_uid),
        is_foreign=is_written and status.st_uid != owner_id,
        is_writable=not is_written or os.access(path, wanted),
    )


def _exists(path: Path) -> bool:
    """Unlike `Path.exists`, a folder that may not be looked into is no reason to stop."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def _user_name(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)
