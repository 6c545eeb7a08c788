"""All facts at once, in a few seconds at most, whatever state the machine is in."""

import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

import appliance
from appliance.backends.registry import descriptors
from appliance.hardware.memory import memory_available_bytes
from appliance.hardware.probe import probe
from appliance.hardware.readings import ReadingsProbe
from appliance.ops.fallbacks import Fallback, read_fallbacks
from appliance.ops.shortages import Shortage, read_shortages
from appliance.settings import Settings, SettingsError

from .facts import (
    ClockFacts,
    DaemonFacts,
    DiskFacts,
    EngineFacts,
    Facts,
    HomeFacts,
    LibraryFacts,
    ModelFacts,
    NetworkFacts,
)
from .part import Parts
from .probes.disk import look_at_disk
from .probes.engines import look_at_engines
from .probes.home import look_at_home
from .probes.libraries import look_at_libraries
from .probes.models import largest_file, look_at_models
from .probes.network import look_at_network
from .probes.settings import with_line
from .probes.system import look_at_clock, look_at_installation, look_at_service, scaling_driver

TIMEOUT_S = 20.0
_ENGINE_TIMEOUT_S = 10.0
_NO_ENGINES: tuple[EngineFacts, ...] = ()
_NO_SHORTAGES: tuple[Shortage, ...] = ()
_NO_FALLBACKS: tuple[Fallback, ...] = ()
_NO_LIBRARIES: tuple[str | None, tuple[LibraryFacts, ...] | None] = (None, None)


def gather(home: Path, load_settings: Callable[[], Settings], look_at_daemon: Callable[[], DaemonFacts]) -> Facts:
    """Return what can be seen. Never raises: what failed or took too long is among the failures.

    `load_settings` raises: SettingsError, OSError. Where it does, the defaults stand in for the settings.
    """
    settings, settings_problem = _settings(load_settings, home / "appliance.toml")
    parts = Parts(time.monotonic() + TIMEOUT_S)
    # What needs nothing else runs side by side; `result` waits.
    snapshot = parts.start("the hardware", probe, None)
    readings = parts.start("temperature and load", lambda: ReadingsProbe().read(), None)
    daemon = parts.start("the daemon", look_at_daemon, DaemonFacts())
    seen_home = parts.start("the state folder", lambda: look_at_home(home, settings_problem), HomeFacts(path=str(home)))
    libraries = parts.start("the libraries", look_at_libraries, _NO_LIBRARIES)
    clock = parts.start("the clock", look_at_clock, ClockFacts())
    installation = parts.start("the installation", look_at_installation, None)
    shortages = parts.start("the record of memory", lambda: read_shortages(home), _NO_SHORTAGES)
    fallbacks = parts.start("the record of devices", lambda: read_fallbacks(home), _NO_FALLBACKS)
    service = parts.start("the service", lambda: look_at_service(installation.result()), None)
    facts = Facts(
        version=appliance.__version__,
        python=platform.python_version(),
        executable=sys.executable,
        is_root=os.geteuid() == 0,
        snapshot=snapshot.result(),
        readings=readings.result(),
        scaling_driver=scaling_driver(),
        requires_python=libraries.result()[0],
        libraries=libraries.result()[1],
        home=seen_home.result(),
        daemon=daemon.result(),
        clock=clock.result(),
        installation=installation.result(),
        service=service.result(),
        shortages=shortages.result(),
        fallbacks=fallbacks.result(),
    )
    facts = _with_what_follows(facts, parts, home, settings)
    return msgspec.structs.replace(facts, failures=parts.failures())


def _with_what_follows(facts: Facts, parts: Parts, home: Path, settings: Settings) -> Facts:
    """Add what can only be looked at when the hardware and the daemon are known."""
    is_running = facts.daemon.process is not None or facts.daemon.is_ready is not None
    backends = descriptors(facts.snapshot) if facts.snapshot is not None else ()
    engines = parts.start("the engines", lambda: look_at_engines(backends, _ENGINE_TIMEOUT_S), _NO_ENGINES)
    network = parts.start(
        "the network", lambda: look_at_network(home, settings.server, is_daemon_running=is_running), NetworkFacts()
    )
    models, disk = ModelFacts(), DiskFacts()
    if facts.home.is_reachable and facts.snapshot is not None:
        snapshot, free_bytes = facts.snapshot, None if is_running else memory_available_bytes()
        models = parts.start(
            "the models", lambda: look_at_models(home, settings, snapshot, backends, free_bytes), models
        ).result()
        disk = parts.start("the disk", lambda: look_at_disk(home, largest_file(home)), disk).result()
    return msgspec.structs.replace(facts, engines=engines.result(), network=network.result(), models=models, disk=disk)


def _settings(load_settings: Callable[[], Settings], file: Path) -> tuple[Settings, str | None]:
    try:
        return load_settings(), None
    except SettingsError as error:
        return Settings(), with_line(str(error), file)
    except OSError as error:
        return Settings(), f"{error.filename}: {error.strerror}"
