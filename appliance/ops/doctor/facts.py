"""What the checks judge: one struct for each part of the world. A default means that it is not known."""

import shlex
from collections.abc import Callable
from typing import Literal

import msgspec

from appliance.backends.description import EngineInstructions
from appliance.core.admin import KeyInfo
from appliance.core.doctor import Finding
from appliance.core.hardware import HardwareReadings, HardwareSnapshot
from appliance.core.plan import BackendDescriptor
from appliance.ops.fallbacks import Fallback
from appliance.ops.shortages import Shortage


class EngineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One backend. `failure` is why its library does not start."""

    descriptor: BackendDescriptor
    instructions: EngineInstructions | None = None
    failure: str | None = None
    rebuild_command: str | None = None


class LibraryFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A library that this distribution requires; `installed` None: it is missing."""

    name: str
    specifier: str
    installed: str | None


class PathFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder of the state folder. `mode` holds the permission bits only."""

    path: str
    is_folder: bool
    mode: int
    owner: str
    is_foreign: bool  # belongs to another user than the state folder
    is_writable: bool  # by the user who asks


class HomeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The state folder. `paths` are those that exist of what we keep there, the folder itself first.

    `is_ours`: the user who asks owns it or is root. `is_reachable` is False where that user may not even look into it.
    `run_files` are those that a daemon left; `settings_problem` is why the settings cannot be used.
    """

    path: str = ""
    exists: bool = True
    is_ours: bool = True
    is_reachable: bool = True
    can_be_made: bool = True
    paths: tuple[PathFacts, ...] = ()
    run_files: tuple[str, ...] = ()
    settings_problem: str | None = None


class DiskFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The file system below the state folder. `read_bytes_per_s` was measured on an installed model, past the cache."""

    file_system: str | None = None
    mount: str | None = None
    free_bytes: int | None = None
    total_bytes: int | None = None
    read_bytes_per_s: float | None = None


class ModelProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A model whose files are not what was added. `source` is the file that it was added from, if it is still there.

    `mend` puts sound files in place of its own, where a command can.
    """

    name: str
    problems: tuple[str, ...]
    source: str | None
    mend: str | None = None


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The installed models. `misfit`: why the default model could never be loaded here; `misfit_now`: why not now."""

    num_installed: int | None = None
    num_unreadable: int = 0
    changed: tuple[ModelProblem, ...] = ()
    default_model: str = ""
    default_problem: str | None = None
    misfit: str | None = None
    misfit_now: str | None = None


class NetworkFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the daemon listens or would.

    `bind_problem`: why it could not, unless a daemon of ours listens there; `port_holder`: who does instead, if that
    can be told. The same of the second port, where there is one.
    """

    host: str = "127.0.0.1"
    port: int = 8484
    is_exposed: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    bind_problem: Literal["in_use", "not_allowed", "no_address"] | None = None
    port_holder: str | None = None
    ollama_port: int | None = None
    ollama_bind_problem: Literal["in_use", "not_allowed", "no_address"] | None = None
    ollama_port_holder: str | None = None
    keys: tuple[KeyInfo, ...] | None = None
    num_unreadable_keys: int = 0


class DaemonFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon of this state folder. `process` holds the folder's lock; `problem`: it does not answer, and why."""

    process: int | None = None
    version: str | None = None
    is_ready: bool | None = None
    not_ready_reason: str | None = None
    problem: str | None = None


class ClockFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The system's clock, against the time at which this software was put here."""

    now_s: float | None = None
    installed_s: float | None = None
    is_synchronized: bool | None = None


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """What our installer recorded: where the code lies, and the service if it made one.

    `source` is the folder that it installed from, if that is still there and no stranger can have changed it.
    """

    folder: str
    source: str | None = None
    options: str = ""  # what install.sh needs to find this installation again
    is_system: bool = False  # made by root, for all users
    unit: str | None = None


class ServiceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What systemd says of our service, in its own words."""

    active_state: str
    unit_file_state: str
    result: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was seen. `failures` are `(part, reason)` of what could not be looked at."""

    version: str
    python: str
    executable: str
    is_root: bool
    snapshot: HardwareSnapshot | None = None
    readings: HardwareReadings | None = None
    scaling_driver: str | None = None
    engines: tuple[EngineFacts, ...] = ()
    requires_python: str | None = None
    libraries: tuple[LibraryFacts, ...] | None = None
    home: HomeFacts = HomeFacts()
    disk: DiskFacts = DiskFacts()
    models: ModelFacts = ModelFacts()
    network: NetworkFacts = NetworkFacts()
    daemon: DaemonFacts = DaemonFacts()
    clock: ClockFacts = ClockFacts()
    installation: Installation | None = None
    service: ServiceFacts | None = None
    shortages: tuple[Shortage, ...] = ()
    fallbacks: tuple[Fallback, ...] = ()
    failures: tuple[tuple[str, str], ...] = ()

    @property
    def install_command(self) -> str | None:
        """Return what makes our installer's environment anew; None where another made it.

        That environment has no pip: the installer fetches and compiles what belongs into it. It keeps no copy of the
        installer, so where the source is not known the command says from where it is run.
        """
        if self.installation is None:
            return None
        source, options = self.installation.source, self.installation.options
        script = shlex.quote(f"{source}/installer/install.sh") if source else "installer/install.sh"
        command = f"sh {script}{options}"
        command = self.as_root(command) if self.installation.is_system else command
        return command if source else f"{command}  # in the folder of the appliance's source"

    def as_root(self, command: str) -> str:
        """Return the command as this user has to write it."""
        return command if self.is_root else f"sudo {command}"


Outcome = Finding | tuple[Finding, ...] | None
Check = Callable[[Facts], Outcome]
"""A pure function. None: there is nothing to say on this machine."""
