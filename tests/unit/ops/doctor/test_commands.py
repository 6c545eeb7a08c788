"""The exact command and the reason with its figures, for findings whose other tests only look at the state."""

from pathlib import Path

import pytest

from appliance.client import Client
from appliance.core.admin import KeyInfo
from appliance.core.hardware import Memory
from appliance.ops.doctor import (
    accelerators,
    clock,
    daemon,
    disk,
    folders,
    memory,
    models,
    network,
    processor,
    versions,
)
from appliance.ops.doctor.diagnose import diagnose
from appliance.ops.doctor.facts import (
    Check,
    ClockFacts,
    DaemonFacts,
    DiskFacts,
    Facts,
    HomeFacts,
    Installation,
    LibraryFacts,
    ModelFacts,
    ModelProblem,
    NetworkFacts,
)
from appliance.ops.doctor.probes.daemon import look_at_daemon
from appliance.ops.lifecycle import lock_home
from tests.fakes import GIB
from tests.unit.cli.fake_daemon import serving, status
from tests.unit.ops.doctor.machines import (
    HOME,
    accelerator,
    healthy,
    in_docker,
    only,
    path,
    readings,
    with_processor,
    with_snapshot,
)

UNIT = Installation(folder="/opt/appliance", is_system=True, unit="/etc/systemd/system/appliance.service", source="/s")
SILENT = DaemonFacts(process=7, problem="it fell silent")
LOG = "sudo journalctl --unit appliance --lines 50 --no-pager"
LARGEST_PROCESSES = "ps -eo pid,rss,comm --sort=-rss | head"
BROKEN_MODEL = ModelProblem(name="mine", problems=("was written to", "is shorter"), source=None)


def home(**changes: object) -> Facts:
    return healthy(home=HomeFacts(**{"path": HOME} | changes))


def reached(**changes: object) -> Facts:
    return healthy(network=NetworkFacts(**{"host": "0.0.0.0", "is_exposed": True, "keys": ()} | changes))


COMMANDS: list[tuple[Check, Facts, str]] = [
    (daemon.running, healthy(daemon=SILENT), "kill -9 7; appliance serve"),
    (daemon.running, healthy(daemon=SILENT, installation=UNIT), LOG),
    (daemon.running, healthy(daemon=DaemonFacts(process=7, is_ready=False)), "appliance ps"),
    (
        daemon.leftovers,
        healthy(daemon=DaemonFacts(), home=HomeFacts(path=HOME, run_files=("/a b/daemon.json",))),
        "rm '/a b/daemon.json'",
    ),
    (clock.clock, healthy(clock=ClockFacts(now_s=0.0, installed_s=1e9)), "sudo timedatectl set-ntp true"),
    (clock.clock, healthy(clock=ClockFacts(now_s=2e9, is_synchronized=False)), "sudo timedatectl set-ntp true"),
    (
        memory.default_model,
        healthy(models=ModelFacts(default_model="big", misfit="x")),
        "appliance serve --model guide",
    ),
    (memory.default_model, healthy(models=ModelFacts(default_model="big", misfit_now="x")), LARGEST_PROCESSES),
    (memory.swap, healthy(readings=readings(swap_used_bytes=2 * GIB, memory_available_bytes=1)), LARGEST_PROCESSES),
    (processor.quota, in_docker(with_processor(quota_cores=0.5)), "docker update --cpus 2 CONTAINER"),
    (network.exposure, reached(keys=(KeyInfo(name="boss", scope="admin"),)), "appliance keys revoke boss"),
    (network.unreadable_keys, reached(num_unreadable_keys=1), "appliance keys list"),
    (disk.room, healthy(disk=DiskFacts(free_bytes=1, total_bytes=GIB)), "appliance models list"),
    (folders.presence, home(is_reachable=False), f"sudo APPLIANCE_HOME={HOME} appliance doctor"),
    (folders.presence, home(exists=False), f"install -d -m 700 {HOME}"),
    (folders.presence, home(exists=False, can_be_made=False), f"sudo install -d -m 700 -o $(id -un) {HOME}"),
    (folders.ownership, home(paths=(path(is_writable=False),)), f"findmnt --target {HOME}"),
    (folders.ownership, home(paths=(path(is_writable=False, mode=0o500),)), f"chmod 700 {HOME}"),
    (models.manifests, healthy(models=ModelFacts(num_unreadable=1)), f"ls -l {HOME}/models/manifests"),
    (models.default_model, healthy(models=ModelFacts(default_problem="gone")), "appliance models list"),
    (versions.python, healthy(python="3.10.2", installation=UNIT), "sudo sh /s/installer/install.sh"),
]


@pytest.mark.parametrize(("check", "facts", "command"), COMMANDS)
def test_a_finding_names_the_exact_command(check: Check, facts: Facts, command: str) -> None:
    assert only(check, facts).mend == command


REASONS: list[tuple[Check, Facts, str]] = [
    (accelerators.drivers, with_snapshot(accelerators=(accelerator(driver="nouveau"),)), "only shows pictures"),
    (accelerators.drivers, with_snapshot(accelerators=(accelerator(driver=None),)), "no driver is bound"),
    (memory.default_model, healthy(models=ModelFacts(default_model="big", misfit="needs 9 GiB")), "needs 9 GiB"),
    (memory.default_model, healthy(models=ModelFacts(default_model="big", misfit_now="needs 9")), "needs 9"),
    (
        memory.limit,
        in_docker(with_snapshot(memory=Memory(total_bytes=1, physical_bytes=64 * GIB, limit_bytes=1, swap_bytes=None))),
        "set it on the host",
    ),
    (processor.throttling, healthy(readings=readings(is_throttled=True, throttling=("heat", "volts"))), "heat; volts"),
    (processor.throttling, healthy(readings=readings(is_throttled=True)), "usual causes"),
    (processor.quota, in_docker(with_processor(quota_cores=0.5)), "docker limits it"),
    (folders.modes, home(paths=(path("keys", is_folder=False, mode=0o644),)), "hashes of all keys"),
    (folders.modes, home(paths=(path("models", mode=0o777),)), "decides what this machine runs"),
    (folders.ownership, home(paths=(path(is_writable=False, mode=0o500),)), "its mode is 500"),
    (models.files, healthy(models=ModelFacts(num_installed=1, changed=(BROKEN_MODEL,))), "was written to; is shorter"),
    (versions.python, healthy(python="3.10.2"), "needs >=3.11"),
    (
        versions.libraries,
        healthy(libraries=(LibraryFacts(name="one", specifier="==1.0", installed=None),)),
        "one is missing, needed is ==1.0",
    ),
]


@pytest.mark.parametrize(("check", "facts", "reason"), REASONS)
def test_a_finding_says_why(check: Check, facts: Facts, reason: str) -> None:
    assert reason in (only(check, facts).reason or "")


def test_a_default_model_of_which_nothing_is_known_is_not_said_to_fit() -> None:
    assert memory.default_model(healthy(models=ModelFacts())) is None
    assert memory.default_model(healthy(models=ModelFacts(default_model="x", default_problem="gone"))) is None


def test_a_part_that_was_not_seen_is_a_note_and_no_success() -> None:
    assert diagnose(healthy(failures=(("the models", "late"),))).worst == "note"


def test_a_daemon_of_another_home_at_our_address_is_not_ours(tmp_path: Path) -> None:
    with serving() as other:
        other.reply("GET", "/admin/v1/status", status())
        client = Client(other.url)
        assert look_at_daemon(tmp_path, client) == DaemonFacts()
        with lock_home(tmp_path):
            problem = look_at_daemon(tmp_path, client).problem
    assert problem is not None and problem.endswith("answers")
