"""Run the installer's scripts for real, against folders of the test's own."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE_NAMES = ("appliance", "models", "kernels", "tui", "installer", "pyproject.toml", "README.md", "LICENSE")
# What the scripts call besides Python and a compiler; a test's PATH holds these and what the test adds.
# fmt: off
SHELL_TOOLS = (
    "awk", "basename", "cat", "chmod", "chown", "cp", "curl", "cut", "date", "df", "dirname", "env", "find",
    "getconf", "grep", "gzip", "head", "id", "ln", "ls", "mkdir", "mktemp", "mv", "ps", "readlink", "rm",
    "rmdir", "sed", "sh", "sha256sum", "shasum", "sleep", "sort", "tail", "tar", "tee", "tr", "uname",
)
# fmt: on


@dataclasses.dataclass
class Sandbox:
    """A home folder, a temporary folder and a PATH of their own, so that what is left behind can be seen."""

    folder: Path

    def __post_init__(self) -> None:
        for path in (self.home, self.tools, self.temporary):
            path.mkdir(parents=True)
        for name in SHELL_TOOLS:
            if found := shutil.which(name):
                (self.tools / name).symlink_to(found)
        self.tool("python3", f'exec "{python_path()}" "$@"')

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def tools(self) -> Path:
        return self.folder / "tools"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    def tool(self, name: str, script: str) -> None:
        """Put a command of this name on the PATH, in place of the machine's."""
        path = self.tools / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def environ(self, **changes: str) -> dict[str, str]:
        """Return the environment of a run. Index settings and the download cache stay the machine's."""
        real = Path.home()
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "LANG"))}
        return {
            **kept,
            "XDG_CONFIG_HOME": os.environ.get("XDG_CONFIG_HOME", str(real / ".config")),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(real / ".cache")),
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "PATH": str(self.tools),
            **changes,
        }

    def run(self, *command: str | Path, stdin: bytes = b"", **changes: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, standard output and errors together as text."""
        done = subprocess.run(
            [str(part) for part in command],
            input=stdin,
            env=self.environ(**changes),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode())

    def install(self, *arguments: str | Path, root: Path = ROOT, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run install.sh of a checkout."""
        return self.run("sh", root / "installer" / "install.sh", "--yes", *arguments, **changes)

    def as_ordinary_user(self) -> "Sandbox":
        """Let the scripts believe that an ordinary user runs them."""
        self.tool("id", 'if [ "$1" = -u ]; then echo 1000; else exec /usr/bin/id "$@"; fi')
        return self

    def leftovers(self) -> list[Path]:
        """Return what there is in the home and the temporary folder."""
        return [*self.home.iterdir(), *self.temporary.iterdir()]


def python_path() -> str:
    """Return the interpreter under the test environment, which also has ensurepip."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


@dataclasses.dataclass
class Installation:
    """One finished installation, shared by the tests of a module."""

    sandbox: Sandbox
    source: Path
    code: Path
    output: str
    arguments: tuple[str | Path, ...]

    @property
    def command(self) -> Path:
        return self.code / "bin" / "appliance"
