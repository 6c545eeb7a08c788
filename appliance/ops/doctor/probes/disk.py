"""The file system below the state folder, and how fast a model is read from it."""

import os
import re
import shutil
import time
from pathlib import Path

from appliance.ops.doctor.facts import DiskFacts

MIN_SAMPLE_BYTES = 16 * 2**20
_MAX_SAMPLE_BYTES = 64 * 2**20
_MAX_SAMPLE_S = 1.0
_CHUNK_BYTES = 2**20
_ESCAPE = re.compile(r"\\([0-7]{3})")


def look_at_disk(home: Path, model: Path | None) -> DiskFacts:
    """Return the room for `home`, and the speed at which `model` is read, if it is large enough. Raises: OSError."""
    folder = next(path for path in (home, *home.parents) if path.exists()).resolve()
    usage = shutil.disk_usage(folder)
    mount = find_mount(_mount_info(), folder)
    return DiskFacts(
        file_system=mount[1] if mount else None,
        mount=mount[0] if mount else None,
        free_bytes=usage.free,
        total_bytes=usage.total,
        read_bytes_per_s=measure_read(model) if model is not None else None,
    )


def find_mount(mount_info: str, folder: Path) -> tuple[str, str] | None:
    """Return mount point and type of the file system that holds `folder`, from the text of `/proc/self/mountinfo`."""
    best: tuple[str, str] | None = None
    for line in mount_info.splitlines():
        left, separator, right = line.partition(" - ")
        fields, kinds = left.split(" "), right.split(" ")
        if not separator or len(fields) < 5:
            continue
        mount = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4])
        # Of two that are mounted on the same folder, the later one is seen.
        if folder.is_relative_to(mount) and (best is None or len(mount) >= len(best[0])):
            best = (mount, kinds[0])
    return best


def measure_read(path: Path) -> float | None:
    """Return the bytes a second at which the file's beginning is read, None where it is too short to tell.

    What the system remembers of that part is given up first, so that the disk is measured and not the memory.
    """
    if path.stat().st_size < MIN_SAMPLE_BYTES:
        return None
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, _MAX_SAMPLE_BYTES, os.POSIX_FADV_DONTNEED)
        buffer = memoryview(bytearray(_CHUNK_BYTES))
        num_bytes, started_s = 0, time.perf_counter()
        while num_bytes < _MAX_SAMPLE_BYTES and time.perf_counter() - started_s < _MAX_SAMPLE_S:
            length = os.readv(descriptor, [buffer])
            if not length:
                break
            num_bytes += length
        return num_bytes / (time.perf_counter() - started_s)
    finally:
        os.close(descriptor)


def _mount_info() -> str:
    try:
        return Path("/proc/self/mountinfo").read_text(errors="replace")
    except OSError:  # not Linux
        return ""
