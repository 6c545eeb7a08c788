"""What our installer recorded, what systemd says of our service and of the clock, and who sets the processor's."""

import os
import shlex
import stat
import subprocess
import sys
import time
from pathlib import Path

import appliance
from appliance.ops.doctor.facts import ClockFacts, Installation, ServiceFacts

_TIMEOUT_S = 5.0
_SYSTEMD = Path("/run/systemd/system")  # there where systemd runs the machine
_SYSTEM_FOLDER = Path("/opt/appliance")
_USER_FOLDER = Path(".local") / "lib" / "appliance"
_SCALING_DRIVER = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver")


def look_at_installation(prefix: Path | None = None) -> Installation | None:
    """Return what the installer recorded beside this environment, None where something else made it."""
    environment = (prefix or Path(sys.prefix)).resolve()
    if len(environment.parents) < 3:
        return None
    folder = environment.parents[2]  # CODE/versions/ID/venv
    try:
        lines = (folder / "INSTALLED").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    record = dict(line.split(" ", 1) for line in lines if " " in line)
    is_usual = folder in (_SYSTEM_FOLDER, Path.home() / _USER_FOLDER)
    return Installation(
        folder=str(folder),
        source=_trusted_source(record.get("source")),
        options="" if is_usual else f" --prefix {shlex.quote(str(folder))}",
        is_system=folder == _SYSTEM_FOLDER,
        unit=record.get("unit"),
    )


def _trusted_source(source: str | None) -> str | None:
    """Return the folder if the installer in it is ours or root's: the doctor advises to run it, perhaps as root."""
    if source is None:
        return None
    try:
        found = [path.stat() for path in (Path(source), Path(source) / "installer" / "install.sh")]
    except OSError:
        return None
    are_safe = all(status.st_uid in (0, os.geteuid()) and not status.st_mode & stat.S_IWOTH for status in found)
    return source if are_safe else None


def look_at_service(installation: Installation | None) -> ServiceFacts | None:
    """Return how the service is, None where we installed none or systemd does not run this machine."""
    if installation is None or installation.unit is None or not _has_systemd():
        return None
    told = _ask("systemctl", "show", "--property=ActiveState,UnitFileState,Result", Path(installation.unit).name)
    pairs = dict(line.partition("=")[::2] for line in (told or "").splitlines())
    if "ActiveState" not in pairs:
        return None
    return ServiceFacts(
        active_state=pairs["ActiveState"],
        unit_file_state=pairs.get("UnitFileState", ""),
        result=pairs.get("Result", ""),
    )


def look_at_clock() -> ClockFacts:
    """Return the time, and whether a server's time corrects it."""
    told = _ask("timedatectl", "show", "--property=NTPSynchronized", "--value") if _has_systemd() else None
    return ClockFacts(
        now_s=time.time(),
        installed_s=Path(appliance.__file__).stat().st_mtime,
        is_synchronized=told.strip() == "yes" if told is not None else None,
    )


def scaling_driver() -> str | None:
    """Return which driver sets the processor's clock, None where none does."""
    try:
        return _SCALING_DRIVER.read_text(encoding="ascii", errors="replace").strip() or None
    except OSError:
        return None


def _has_systemd() -> bool:
    return _SYSTEMD.is_dir()


def _ask(*command: str) -> str | None:
    try:
        answer = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.decode(errors="replace") if answer.returncode == 0 else None
