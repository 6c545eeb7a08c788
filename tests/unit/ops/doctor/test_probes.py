"""Where the facts come from: real folders, sockets and captured text."""

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from appliance.core.plan import BackendDescriptor
from appliance.ops.doctor.facts import DaemonFacts
from appliance.ops.doctor.gather import gather
from appliance.ops.doctor.part import Parts
from appliance.ops.doctor.probes.daemon import lock_holder, parse_locks
from appliance.ops.doctor.probes.disk import MIN_SAMPLE_BYTES, find_mount, look_at_disk, measure_read
from appliance.ops.doctor.probes.home import look_at_home
from appliance.ops.doctor.probes.libraries import look_at_libraries
from appliance.ops.doctor.probes.models import look_at_models
from appliance.ops.doctor.probes.network import bind_problem, look_at_network
from appliance.ops.doctor.probes.ports import listener, parse_listeners
from appliance.ops.doctor.probes.settings import line_of, with_line
from appliance.ops.keys import KeyStore
from appliance.ops.lifecycle import lock_home
from appliance.settings import ModelsSettings, ServerSettings, Settings, SettingsError
from tests.fakes import GIB, machine

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:26 / /home rw - nfs4 server:/home rw
31 30 0:27 / /home/my\040box rw - tmpfs tmpfs rw
damaged
"""
READY = BackendDescriptor(
    name="llama_cpp",
    state="ready",
    message="",
    mend=None,
    formats=frozenset({"gguf"}),
    devices=("cpu",),
    kv_types=("f16",),
    version="1",
)


def test_the_home_is_described_with_modes_and_what_a_daemon_left(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o750)
    key = tmp_path / "run" / "local.key"
    key.touch(mode=0o640)
    key.chmod(0o640)
    facts = look_at_home(tmp_path, "a problem")

    assert facts.run_files == (str(key),)
    assert {Path(path.path).name: path.mode for path in facts.paths}["local.key"] == 0o640
    assert facts.settings_problem == "a problem" and facts.is_ours and facts.is_reachable


def test_a_home_that_is_not_there_can_be_made(tmp_path: Path) -> None:
    facts = look_at_home(tmp_path / "a" / "b", None)

    assert (facts.exists, facts.can_be_made) == (False, True)
    assert not (tmp_path / "a").exists(), "the doctor only looks"


@pytest.mark.parametrize(
    ("folder", "mount"),
    [("/var", ("/", "ext4")), ("/home/ann", ("/home", "nfs4")), ("/home/my box", ("/home/my box", "tmpfs"))],
)
def test_the_mount_of_a_folder_is_the_nearest_one(folder: str, mount: tuple[str, str]) -> None:
    assert find_mount(MOUNTS, Path(folder)) == mount


def test_reading_is_measured_on_files_that_are_large_enough(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(bytes(1000))
    with large.open("wb") as stream:
        stream.truncate(MIN_SAMPLE_BYTES)

    assert measure_read(small) is None
    assert (measure_read(large) or 0) > 0
    assert (look_at_disk(tmp_path / "not" / "yet", None).free_bytes or 0) > 0


def test_a_port_that_somebody_listens_on_is_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert bind_problem("127.0.0.1", port) == "in_use"
    assert bind_problem("127.0.0.1", port) is None
    assert bind_problem("192.0.2.1", port) == "no_address"


def test_a_second_port_is_tried_while_no_daemon_of_ours_holds_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = ServerSettings(port=0, ollama_port=listener.getsockname()[1])
        problems = [
            look_at_network(tmp_path, server, is_daemon_running=is_running).ollama_bind_problem
            for is_running in (False, True)
        ]
    assert problems == ["in_use", None]
    assert look_at_network(tmp_path, ServerSettings(port=0), is_daemon_running=False).ollama_port is None


@pytest.mark.parametrize(
    ("host", "is_exposed"),
    [("127.0.0.1", False), ("localhost", False), ("::1", False), ("0.0.0.0", True), ("box", True)],
)
def test_only_loopback_is_not_exposed(tmp_path: Path, host: str, is_exposed: bool) -> None:
    facts = look_at_network(tmp_path, ServerSettings(host=host), is_daemon_running=True)

    assert facts.is_exposed == is_exposed


def test_keys_are_counted_with_those_that_are_damaged(tmp_path: Path) -> None:
    KeyStore(tmp_path / "keys").create("laptop", "use")
    with (tmp_path / "keys").open("a") as stream:
        stream.write("# a comment\n\nnonsense\n")
    facts = look_at_network(tmp_path, ServerSettings(), is_daemon_running=True)

    assert [key.name for key in facts.keys or ()] == ["laptop"]
    assert facts.num_unreadable_keys == 1


def test_the_holder_of_the_lock_is_found_without_touching_it(tmp_path: Path) -> None:
    assert lock_holder(tmp_path) is None
    with lock_home(tmp_path):
        assert lock_holder(tmp_path) == os.getpid()
    assert lock_holder(tmp_path) is None


def test_a_process_that_waits_for_a_lock_does_not_hold_it() -> None:
    text = "1: FLOCK  ADVISORY  WRITE 812 08:01:131 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 99 08:01:7 0 EOF\n"

    assert (parse_locks(text, 131), parse_locks(text, 7), parse_locks(text, 31)) == (812, None, None)


def settings_for(model: str) -> Settings:
    return Settings(models=ModelsSettings(default_model=model))


def test_a_fresh_home_has_the_embedded_model_and_it_fits(tmp_path: Path) -> None:
    facts = look_at_models(tmp_path, settings_for("guide"), machine(), (READY,), 4 * GIB)

    assert (facts.num_installed, facts.num_unreadable, facts.changed) == (1, 0, ())
    assert (facts.default_problem, facts.misfit, facts.misfit_now) == (None, None, None)


def test_too_little_memory_is_told_from_too_little_free_now(tmp_path: Path) -> None:
    tiny = look_at_models(tmp_path, settings_for("guide"), machine(memory_bytes=2**20), (READY,), 2**20)
    full = look_at_models(tmp_path, settings_for("guide"), machine(), (READY,), 2**20)

    assert tiny.misfit is not None and tiny.misfit_now is None
    assert full.misfit is None and full.misfit_now is not None


def test_a_default_model_of_an_unknown_name_and_a_damaged_manifest_are_seen(tmp_path: Path) -> None:
    (tmp_path / "models" / "manifests").mkdir(parents=True)
    (tmp_path / "models" / "manifests" / "x+latest.json").write_text("{")
    facts = look_at_models(tmp_path, settings_for("gide"), machine(), (READY,), None)

    assert "guide" in (facts.default_problem or "")
    assert facts.num_unreadable == 1


def test_our_libraries_are_compared_with_what_the_distribution_asks_for() -> None:
    _, libraries = look_at_libraries()

    assert libraries is None or {"msgspec", "litestar"} <= {library.name for library in libraries}


def test_the_program_on_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        name = Path("/proc/self/comm").read_text().strip()

        assert listener(port) == f"{name} (process {os.getpid()})"
    assert listener(port) is None


def test_only_sockets_that_listen_on_that_port_count() -> None:
    row = "  {n}: 0100007F:{port} 00000000:0000 {state} 00000000:00000000 00:00000000 0 0 0 {inode} 1 0\n"
    text = "  sl  local_address rem_address   st\n" + "".join(
        row.format(n=n, port=port, state=state, inode=100 + n)
        for n, (port, state) in enumerate([("2124", "0A"), ("2124", "01"), ("2125", "0A")])
    )

    assert parse_listeners(text + "damaged\n", 0x2124) == (100,)


def test_a_holder_of_another_user_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text("head\n0: 0100007F:2124 0:0 0A 0:0 00:0 0 0 0 77 1\n")
    (tmp_path / "31").mkdir()
    (tmp_path / "31" / "fd").touch()  # cannot be listed

    assert listener(0x2124, tmp_path) is None


SETTINGS = """# The settings
[server]
# port = 1
prot = 2

[models]
prot = 3
[modles]
"""


@pytest.mark.parametrize(
    ("key", "line"), [("server.prot", 4), ("models.prot", 7), ("modles", 8), ("server.port", None), ("prot", None)]
)
def test_the_line_of_a_setting_is_found(key: str, line: int | None) -> None:
    assert line_of(SETTINGS, key) == line


def test_a_problem_of_the_settings_gets_its_line(tmp_path: Path) -> None:
    file = tmp_path / "appliance.toml"
    problem = f"{file}:server.prot: there is no setting 'server.prot'"
    assert with_line(problem, file) == problem, "the file is not there"
    file.write_text(SETTINGS)

    assert with_line(problem, file) == f"{file}, line 4: there is no setting 'server.prot'"
    assert with_line("APPLIANCE_SERVER__PORT: no", file) == "APPLIANCE_SERVER__PORT: no"


def test_a_part_that_fails_or_hangs_is_named_and_the_others_are_seen() -> None:
    def fail() -> int:
        raise PermissionError(13, "Permission denied", "/x")

    hang = threading.Event()
    parts = Parts(time.monotonic() + 0.05)
    results = [parts.start(name, look, 0) for name, look in (("a", fail), ("b", hang.wait), ("c", lambda: 3))]

    assert [part.result() for part in results] == [0, 0, 3]
    assert parts.failures() == (("a", "/x: Permission denied"), ("b", "it did not answer in time"))
    hang.set()


def test_facts_are_gathered_even_where_settings_are_broken(tmp_path: Path) -> None:
    def broken() -> Settings:
        raise SettingsError("line 3")

    facts = gather(tmp_path / "home", broken, lambda: DaemonFacts(process=1, is_ready=True))

    assert facts.home.settings_problem == "line 3"
    assert facts.snapshot is not None and facts.models.num_installed == 1
    assert facts.failures == ()
