"""A 64-bit ARM machine made of packages: Debian's Python and linker in a folder, run by QEMU. Nobody need be root.

    cache/arm64-<what it was made from>/   root/       Debian's arm64 packages, unpacked
                                           packages/   our Python packages for arm64, from the hashed lock
                                           emulator/   QEMU, where this machine has none

`apt-get` fetches the foreign packages into a state of its own, and nothing is installed. What ends here in `NotHere`
(another system, no network) is a reason to skip a test.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
LOCK = REPOSITORY / "installer" / "lock" / "runtime.txt"

_DEBIAN_PACKAGES = ("python3", "libstdc++6", "binutils")
_PYTHON_PACKAGES = frozenset(
    {"apache-tvm", "apache-tvm-ffi", "gguf", "ml-dtypes", "msgspec", "numpy", "pyyaml", "typing-extensions"}
)
_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_24_aarch64", "manylinux2014_aarch64")
_EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")


class NotHere(Exception):
    """The machine cannot be made here; the message says why."""


@dataclass(frozen=True, slots=True)
class Board:
    """A machine of its own processor: `cpu` is a name of QEMU's."""

    folder: Path
    cpu: str

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return what starts one of its programs."""
        root = str(self.folder / "root")
        return [_emulator(self.folder), "-cpu", self.cpu, "-L", root, f"{root}/usr/bin/{program}", *arguments]

    def python(self, script: Path, *arguments: str) -> list[str]:
        """Return what starts a script with our packages, and this checkout, to import from."""
        return self.command("python3", "-B", str(script), *arguments)

    def environment(self) -> dict[str, str]:
        """Return what its programs are to see. One thread: QEMU is slow enough."""
        paths = f"{self.folder / 'packages'}:{REPOSITORY}"
        return {"PATH": os.environ["PATH"], "PYTHONPATH": paths, "TVM_NUM_THREADS": "1", "TVM_USE_RUNTIME_LIB": "1"}

    def link(self, library: str, objects: Sequence[str], **_: Any) -> None:
        """Make a shared library of object files, as TVM's `export_library` asks for it."""
        _run(self.command("ld", "-shared", "-o", library, *objects))


@cache
def board(cpu: str) -> Board:
    """Return a machine, made now if it is not in the cache. Raises: NotHere."""
    if platform.machine() != "x86_64" or not shutil.which("apt-get"):
        raise NotHere("an ARM machine is made of Debian's packages, on Debian's x86-64 only")
    stem = os.environ.get("APPLIANCE_TEST_CACHE") or Path.home() / ".cache" / "appliance-tests"
    cached = Path(stem) / f"arm64-{_digest()}"
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".arm64-", dir=cached.parent) as name:
            _make(Path(name) / "board")
            for outdated in cached.parent.glob("arm64-*"):
                shutil.rmtree(outdated)
            (Path(name) / "board").rename(cached)
    return Board(cached, cpu)


def _digest() -> str:
    release = Path("/etc/os-release").read_text()
    return hashlib.sha256(f"{Path(__file__).read_text()}{_locked()}{release}".encode()).hexdigest()[:12]


def _make(folder: Path) -> None:
    """Fill the folder. Raises: NotHere."""
    root, state = folder / "root", folder / "apt"
    (root / "usr" / "lib").mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")  # newer packages have no /lib of their own, but programs look there
    foreign = [*_apt_get(state / "arm64"), "-o", "APT::Architecture=arm64", "-o", "APT::Architectures=arm64"]
    _run([*foreign, "update", "--error-on=any"])
    _run([*foreign, "--yes", "--no-install-recommends", "--download-only", "install", *_DEBIAN_PACKAGES])
    for package in (state / "arm64" / "archives").glob("*.deb"):
        _run(["dpkg-deb", "--extract", str(package), str(root)])
    if not _emulator(folder):
        own = _apt_get(state / "own")
        _run([*own, "update", "--error-on=any"])
        _run([*own, "download", "qemu-user-static"], state)
        _run(["dpkg-deb", "--extract", *map(str, state.glob("qemu-*.deb")), str(state / "qemu")])
        (folder / "emulator").mkdir()
        shutil.move(state / "qemu" / "usr" / "bin" / _EMULATORS[0], folder / "emulator")
    shutil.rmtree(state)
    _get_packages(folder)


def _get_packages(folder: Path) -> None:
    lock, packages = folder / "lock.txt", folder / "packages"
    lock.write_text(_locked())
    python = next((folder / "root" / "usr" / "bin").glob("python3.*")).name.removeprefix("python")
    where = ["--target", str(packages), "--python-version", python, "--only-binary", ":all:"]
    what = ["--no-deps", "--require-hashes", "--requirement", str(lock)]
    platforms = [f"--platform={each}" for each in _PLATFORMS]
    _run([sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *where, *what, *platforms])
    for compiler in packages.rglob("libtvm_compiler.so"):  # a quarter of a gigabyte that runs nothing
        compiler.unlink()


def _locked() -> str:
    """Return the part of the lock that names our packages."""
    entries = [entry for entry in re.split(r"\n(?=\S)", LOCK.read_text()) if _name(entry) in _PYTHON_PACKAGES]
    missing = _PYTHON_PACKAGES - {_name(entry) for entry in entries}
    assert not missing, f"not in the lock: {', '.join(sorted(missing))}"
    return "\n".join(entries) + "\n"


def _name(entry: str) -> str:
    return entry.partition("==")[0]


def _apt_get(state: Path) -> list[str]:
    """Return `apt-get` with this machine's sources and a state of its own, in which no package is installed."""
    for name in ("lists", "archives"):
        (state / name / "partial").mkdir(parents=True)
    (state / "status").touch()
    own = {"Dir::State": state, "Dir::State::status": state / "status", "Dir::Cache": state, "APT::Sandbox::User": ""}
    return ["apt-get", "--quiet", *(f"-o{name}={value}" for name, value in own.items())]


def _emulator(folder: Path) -> str:
    """Return the path of QEMU, empty where there is none."""
    fetched = folder / "emulator" / _EMULATORS[0]
    if fetched.exists():
        return str(fetched)
    return next((found for name in _EMULATORS if (found := shutil.which(name))), "")


def _run(command: list[str], folder: Path | None = None) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.strip().splitlines()[-1:])
        raise NotHere(f"{Path(command[0]).name} ended with {error.returncode}: {said}") from error
    except OSError as error:
        raise NotHere(f"{command[0]}: {error}") from error
