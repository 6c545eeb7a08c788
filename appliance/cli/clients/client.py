"""A program that can use the box, as data: how it is found, which file it reads, what goes into it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .entry import Entry

NO_KEY = "none"
"""What stands where a key belongs while the box asks for none: most programs refuse to start without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The daemon as clients are told of it: `url` without a path, `context_tokens` None where it is not known.

    `reads_pictures` says whether the model does.
    """

    url: str
    key: str | None
    model: str
    context_tokens: int | None
    reads_pictures: bool = False

    @property
    def openai_url(self) -> str:
        """Return the address that programs made for OpenAI are given."""
        return f"{self.url}/v1"

    @property
    def secret(self) -> str:
        """Return what to write where a key belongs."""
        return self.key or NO_KEY


@dataclass(frozen=True, slots=True)
class Places:
    """Where programs of a person keep their files."""

    environ: Mapping[str, str]

    @property
    def home(self) -> Path:
        """Return the person's own folder."""
        return Path(self.environ.get("HOME") or Path.home())

    def folder(self, variable: str, default: str) -> Path:
        """Return the folder that `variable` names, else `default` in the person's own folder."""
        named = self.environ.get(variable)
        return Path(named).expanduser() if named else self.home / default

    def settings(self, name: str) -> Path:
        """Return where a program keeps its settings by the desktop's rules.

        Source: XDG Base Directory Specification 0.8, "Environment variables".
        """
        return self.folder("XDG_CONFIG_HOME", ".config") / name


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client. Without `file` it is configured by hand, as `steps` says; `--file` may still name one for `entry`.

    `commands` are looked for on the path, `folders` and `modules` on the disk: one that is there says that the program
    is installed. `steps` is what remains to do after the file was written.
    """

    name: str
    title: str
    steps: Callable[[Box], str]
    commands: tuple[str, ...] = ()
    folders: Callable[[Places], tuple[Path, ...]] = lambda places: ()
    file: Callable[[Places], Path] | None = None
    entry: Callable[[Box], Entry] | None = None
