"""The state folder, its disk, models and versions."""

import msgspec
import pytest

from appliance.core.doctor import Repair
from appliance.core.hardware import Disk
from appliance.ops.doctor import disk, folders, models, versions
from appliance.ops.doctor.facts import (
    DaemonFacts,
    DiskFacts,
    Facts,
    HomeFacts,
    Installation,
    LibraryFacts,
    ModelFacts,
    ModelProblem,
)
from tests.fakes import GIB
from tests.unit.ops.doctor.machines import HOME, found, healthy, in_docker, only, path, with_snapshot


def home(**changes: object) -> Facts:
    return healthy(home=msgspec.structs.replace(healthy().home, **changes))


def on(**changes: object) -> Facts:
    return healthy(disk=msgspec.structs.replace(healthy().disk, **changes))


def test_a_missing_folder_can_be_made_where_one_may() -> None:
    missing = only(folders.presence, healthy(home=HomeFacts(path=HOME, exists=False)))
    refused = only(folders.presence, healthy(home=HomeFacts(path=HOME, exists=False, can_be_made=False)))

    assert (missing.state, missing.repair) == ("note", Repair(kind="make_folder", path=HOME, mode=0o700))
    assert (refused.state, refused.repair) == ("error", None)
    assert not found(folders.presence, healthy())


def test_a_folder_of_somebody_else_names_whom_to_ask_as() -> None:
    closed = HomeFacts(path=HOME, is_reachable=False, paths=(path(owner="appliance"),))
    open_ = home(is_ours=False, paths=(path(owner="appliance", mode=0o755, is_writable=False),))

    assert "belongs to appliance" in (only(folders.presence, healthy(home=closed)).reason or "")
    assert only(folders.ownership, open_).mend == f"sudo -u appliance APPLIANCE_HOME={HOME} appliance doctor"
    assert folders.settings(healthy(home=closed)) is None, "what cannot be read is not called valid"


def test_what_root_left_in_the_folder_is_given_back() -> None:
    finding = only(folders.ownership, home(paths=(path(), path("models", owner="root", is_foreign=True))))

    assert (finding.state, finding.mend) == ("error", f"sudo chown -R ann: {HOME}")
    assert finding.repair is None, "this needs root"


def test_a_folder_without_its_write_bit_gets_it_back() -> None:
    finding = only(folders.ownership, home(paths=(path(), path("models", mode=0o500, is_writable=False))))

    assert finding.repair == Repair(kind="set_mode", path=f"{HOME}/models", mode=0o700)


def test_a_read_only_file_system_is_not_mended_by_a_mode() -> None:
    finding = only(folders.ownership, home(paths=(path(is_writable=False),)))

    assert finding.repair is None and "read-only" in (finding.reason or "")


@pytest.mark.parametrize("name", ["keys", "run/local.key"])
def test_secrets_that_others_can_read_are_closed(name: str) -> None:
    finding = only(folders.modes, home(paths=(path(), path(name, is_folder=False, mode=0o644))))

    assert (finding.state, finding.mend) == ("error", f"chmod 600 {HOME}/{name}")
    assert finding.repair == Repair(kind="set_mode", path=f"{HOME}/{name}", mode=0o600)


@pytest.mark.parametrize(("mode", "is_wrong"), [(0o700, False), (0o755, False), (0o775, False), (0o777, True)])
def test_a_folder_that_everybody_can_write_is_closed(mode: int, is_wrong: bool) -> None:
    assert bool(found(folders.modes, home(paths=(path("run", mode=mode),)))) == is_wrong


def test_settings_that_cannot_be_used_say_where() -> None:
    finding = only(folders.settings, home(settings_problem="appliance.toml: not valid TOML (at line 3, column 1)"))

    assert finding.state == "error" and "line 3" in (finding.reason or "")
    assert finding.mend == f"${{EDITOR:-vi}} {HOME}/appliance.toml"
    named = only(folders.settings, home(settings_problem="APPLIANCE_SERVER__PORT: server.port cannot be 'x'"))
    assert named.mend == "unset APPLIANCE_SERVER__PORT", "the file has nothing to do with it"
    assert not found(folders.settings, healthy())


@pytest.mark.parametrize(("free_bytes", "state"), [(50 * 2**20, "error"), (GIB, "warning")])
def test_a_disk_that_is_nearly_full_is_found(free_bytes: int, state: str) -> None:
    assert only(disk.room, on(free_bytes=free_bytes)).state == state
    assert not found(disk.room, healthy())


def test_a_disk_that_was_measured_to_be_slow_says_what_that_means() -> None:
    finding = only(disk.speed, on(read_bytes_per_s=40e6))

    assert finding.state == "warning" and "125 s" in (finding.reason or "")
    assert not found(disk.speed, on(read_bytes_per_s=900e6))


def test_the_kind_of_the_disk_counts_only_where_nothing_was_measured() -> None:
    card = Disk(name="mmcblk0", kind="sd_card", model=None, size_bytes=None, mounts=("/",))
    facts = with_snapshot(disks=(card,))

    assert only(disk.speed, facts).state == "note"
    measured = msgspec.structs.replace(facts, disk=DiskFacts(mount="/", read_bytes_per_s=900e6))
    assert not found(disk.speed, measured)
    assert disk.speed(healthy()) is None


@pytest.mark.parametrize(("kind", "state"), [("tmpfs", "warning"), ("nfs4", "warning"), ("overlay", "note")])
def test_a_file_system_that_loses_or_shares_the_state_is_found(kind: str, state: str) -> None:
    assert only(disk.file_system, in_docker(on(file_system=kind))).state == state
    assert not found(disk.file_system, in_docker(healthy()))


def test_a_model_whose_file_changed_is_added_again_and_one_whose_file_is_gone_is_forgotten() -> None:
    changed = ModelProblem(name="mine", problems=("/m.gguf: was written to",), source="/my models/m.gguf")
    gone = ModelProblem(name="lost", problems=("/l.gguf: No such file",), source=None)
    rotten = ModelProblem(name="ours", problems=("/o: bit rot",), source=None, mend="appliance pull hf:a/b --name ours")
    findings = found(models.files, healthy(models=ModelFacts(num_installed=3, changed=(changed, gone, rotten))))

    assert [finding.mend for finding in findings] == [
        "appliance models rm mine && appliance models add '/my models/m.gguf' --name mine",
        "appliance models rm lost",
        "appliance pull hf:a/b --name ours",
    ]
    assert not found(models.files, healthy())


def test_a_manifest_that_cannot_be_read_is_found() -> None:
    assert only(models.manifests, healthy(models=ModelFacts(num_installed=1, num_unreadable=1))).state == "error"
    assert not found(models.manifests, healthy())


def test_a_default_model_that_is_not_there_is_an_error() -> None:
    facts = healthy(models=ModelFacts(default_model="gide", default_problem="did you mean 'guide'?"))

    assert only(models.default_model, facts).reason == "did you mean 'guide'?"
    assert not found(models.default_model, healthy())


@pytest.mark.parametrize("installed", ["0.9", None])
def test_a_library_of_the_wrong_version_or_missing_is_an_error(installed: str | None) -> None:
    libraries = (LibraryFacts(name="one", specifier="==1.0", installed=installed),)
    finding = only(versions.libraries, healthy(libraries=libraries))

    assert (finding.state, finding.mend) == ("error", "/venv/bin/python -m pip install one==1.0")
    ours = Installation(folder="/opt/appliance", is_system=True, source="/src")
    assert only(versions.libraries, healthy(libraries=libraries, installation=ours)).mend == (
        "sudo sh /src/installer/install.sh"
    )


def test_a_source_tree_is_noted_since_its_versions_are_not_known() -> None:
    assert only(versions.libraries, healthy(libraries=None)).state == "note"
    assert not found(versions.libraries, healthy())


@pytest.mark.parametrize(
    ("version", "specifier", "is_met"),
    [
        ("0.3.36", "==0.3.36", True),
        ("0.3.4", "==0.3.36", False),
        ("1.0", "==1.0.0", True),
        ("2.25.1", "<3,>=2.25", True),
        ("3.0", "<3,>=2.25", False),
        ("2.9", "<3,>=2.25", False),
        ("3.14.0rc1", ">=3.11", True),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str, specifier: str, is_met: bool) -> None:
    assert versions.satisfies(version, specifier) == is_met


def test_a_python_that_is_too_old_is_an_error() -> None:
    assert only(versions.python, healthy(python="3.10.2")).state == "error"
    assert not found(versions.python, healthy())


def test_a_daemon_from_before_an_update_is_found() -> None:
    old = DaemonFacts(process=7, version="0.9", is_ready=True)
    unit = Installation(folder="/opt/appliance", unit="/etc/systemd/system/appliance.service")

    assert only(versions.daemon, healthy(daemon=old)).mend == "kill 7; appliance serve"
    assert only(versions.daemon, healthy(daemon=old, installation=unit)).mend == "sudo systemctl restart appliance"
    assert not found(versions.daemon, healthy())
