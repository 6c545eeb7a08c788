"""What `--fix` does: small changes to the state folder that lose nothing. Nothing else is ever done."""

import stat
from pathlib import Path

from appliance.client.runfiles import DAEMON_FILE, KEY_FILE
from appliance.core.doctor import Repair
from appliance.errors import Conflict


def describe(repair: Repair) -> str:
    """Return what will be done, as an imperative."""
    if repair.kind == "set_mode":
        return f"set the mode of {repair.path} to {repair.mode or 0:o}"
    return f"make the folder {repair.path}" if repair.kind == "make_folder" else f"remove {repair.path}"


def carry_out(repair: Repair, home: Path) -> None:
    """Do it. Raises: Conflict, for what is not ours to change; OSError."""
    path = Path(repair.path)
    if not path.is_relative_to(home) or ".." in path.parts:
        raise Conflict(f"{path} is not in the state folder {home}, so it is left as it is")
    if repair.kind == "make_folder":
        path.mkdir(mode=repair.mode or 0o700, parents=True, exist_ok=True)
    elif repair.kind == "set_mode" and repair.mode is not None:
        if stat.S_ISLNK(path.lstat().st_mode):
            raise Conflict(f"{path} is a link, so what it leads to is left as it is")
        path.chmod(repair.mode)
    elif repair.kind == "remove_file":
        if path.relative_to(home) not in (KEY_FILE, DAEMON_FILE):
            raise Conflict(f"{path} is no file that a daemon leaves behind, so it is left as it is")
        path.unlink(missing_ok=True)
