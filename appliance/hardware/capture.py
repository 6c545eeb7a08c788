"""Captures the files that the probes read on this machine as one text, for a bug report or a test.

Reads only what this user may read, lists no serial number and no address, and scrubs those that stand in a text.
"""

import contextlib
import fnmatch
import functools
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from appliance.hardware.accelerators import names, nvidia
from appliance.hardware.accelerators.nvidia_smi import CAPTURED, ask, parse_rows
from appliance.hardware.capture_paths import CGROUP_FILES, FILES, MARKERS
from appliance.hardware.children import run_child
from appliance.hardware.files import Notes, Tree
from appliance.hardware.fixture import file_section, link_section
from appliance.hardware.scrub import Scrubber

_MODULE = "appliance.hardware.capture"
_HOST_NAMES = ("/proc/sys/kernel/hostname", "/etc/hostname")
_LINKS = ("driver", "device", "physfn")
_MAX_FILE_BYTES = 64 * 1024
_MAX_CPUINFO_BYTES = 2 * 1024 * 1024
_MAX_FILES = 20_000
_BRACES = re.compile(r"\{([^{}]*)\}")
_LAYOUT = dict.fromkeys(map(ord, "\t\n\0"))


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """A machine as a fixture. `num_removed` says how many names of each kind were taken out."""

    text: str
    num_files: int
    num_removed: dict[str, int]


def tool_outputs(timeout_s: float = 5.0) -> dict[str, str]:
    """Return what the tools say here that the probes ask, by the name of their section; nothing where none answers."""
    if not nvidia.is_driver_running(Tree(Path("/"), Notes())):
        return {}
    outcome = run_child(_MODULE, [], timeout_s)
    return {CAPTURED.rpartition("/")[2]: outcome.output} if parse_rows(outcome.output) else {}


def capture(root: Path = Path("/"), outputs: Mapping[str, str] | None = None) -> Capture:
    """Return the machine under `root`; never raises. `outputs` are those of tools, by the name of their section."""
    tree = Tree(root, Notes())
    scrubber = Scrubber(tuple(filter(None, map(tree.read_line, _HOST_NAMES))))
    found = _Found(tree)
    for path in itertools.chain((path for pattern in FILES for path in found.glob(pattern)), _cgroup_files(tree)):
        found.add(path)
    files = found.files | {path: "" for pattern in MARKERS for path in found.glob(pattern) if tree.exists(path)}
    files |= names.excerpts(tree)
    files |= {f"/commands/{name}": text for name, text in (outputs or {}).items()}
    sections = {path: file_section(path.lstrip("/"), text) for path, text in files.items()}
    sections |= {path: link_section(path.lstrip("/"), target) for path, target in found.links.items()}
    body = "".join(scrubber.scrub(text) for _, text in sorted(sections.items()))
    removed = scrubber.num_removed
    listed = ", ".join(f"{number} {kind}" for kind, number in removed.items()) or "nothing was in the way"
    head = f"# Captured by 'appliance hardware --capture'. Taken out: {listed}.\n\n"
    return Capture(text=head + body, num_files=len(files), num_removed=removed)


class _Found:
    """What was met, under its true path: a file is there once, however many links lead to it."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.files: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self._listed = functools.cache(tree.list_dir)
        self._true_folder = functools.cache(self._follow)

    def glob(self, pattern: str) -> Iterator[str]:
        """Yield the paths that could match; those without a wildcard at the end may not be there."""
        braces = _BRACES.search(pattern)
        if braces is not None:
            for part in braces[1].split(","):
                yield from self.glob(pattern[: braces.start()] + part + pattern[braces.end() :])
            return
        paths = [""]
        for part in pattern.strip("/").split("/"):
            if "*" in part:
                paths = [f"{path}/{name}" for path in paths for name in fnmatch.filter(self._listed(path), part)]
            else:
                paths = [f"{path}/{part}" for path in paths]
        yield from paths

    def add(self, path: str) -> None:
        """Keep a file's text, if there is any and it is text, and the links that lead to it."""
        folder, _, name = path.rpartition("/")
        true_folder = self._true_folder(folder) if len(self.files) < _MAX_FILES else None
        if true_folder is None or f"{true_folder}/{name}" in self.files:
            return
        limit = _MAX_CPUINFO_BYTES if path == "/proc/cpuinfo" else _MAX_FILE_BYTES
        text = self._tree.read_text(path, max_bytes=limit)
        if text.translate(_LAYOUT).isprintable():
            text = _EDITS.get(path, str)(text)
            if text.strip():
                self.files[f"{true_folder}/{name}"] = text

    def _follow(self, folder: str) -> str | None:
        """Return a folder's path without links; keep the links on the way, and those that name a device's driver."""
        parent, _, name = folder.rpartition("/")
        if folder == "/proc/self":  # a link to the number of whoever looks
            return folder
        true_parent = "" if not parent else self._true_folder(parent)
        if true_parent is None:
            return None
        self._keep_link(f"{true_parent}/{name}")
        true_folder = self._tree.resolve(f"{true_parent}/{name}")
        if true_folder is not None and true_folder.startswith("/sys/devices/"):
            for link in _LINKS:
                self._keep_link(f"{true_folder}/{link}")
        return true_folder

    def _keep_link(self, true_path: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # no link
            self.links[true_path] = os.readlink(f"{str(self._tree.root).rstrip('/')}{true_path}")  # noqa: PTH115  (text)


def _cgroup_files(tree: Tree) -> Iterator[str]:
    """Yield the limits of this process's control groups and of their parents, in both versions."""
    for line in tree.read_text("/proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        mounts = {controllers, *controllers.split(",")} if controllers else {"", "unified"}
        parts = [part for part in group.split("/") if part not in ("", ".", "..")]
        for mount, depth in itertools.product(sorted(mounts), range(len(parts) + 1)):
            folder = "/".join(("/sys/fs/cgroup", *filter(None, [mount]), *parts[:depth]))
            yield from (f"{folder}/{name}" for name in CGROUP_FILES)


def _keep_lines(*starts: str) -> Callable[[str], str]:
    return lambda text: "".join(line for line in text.splitlines(keepends=True) if line.startswith(starts))


def _keep_disk_mounts(text: str) -> str:
    """Keep what is mounted from a device, and the root; without options, where overlays tell of other folders."""
    kept = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        words, source = before.split(" "), after.split(" ")
        if len(words) >= 5 and len(source) >= 2 and (source[1].startswith("/dev/") or words[4] == "/"):
            kept.append(f"{' '.join(words[:5])} rw - {source[0]} {source[1]} rw\n")
    return "".join(kept)


_EDITS: dict[str, Callable[[str], str]] = {
    "/proc/self/status": _keep_lines("Cpus_allowed", "Mems_allowed"),
    "/proc/stat": _keep_lines("cpu"),
    "/proc/self/mountinfo": _keep_disk_mounts,
}


if __name__ == "__main__":  # the child that may wait for the driver
    sys.stdout.write(ask())
