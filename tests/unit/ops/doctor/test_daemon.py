"""The daemon, its service, and what others can reach."""

import pytest

from appliance.core.admin import KeyInfo
from appliance.core.doctor import Repair
from appliance.ops.doctor import daemon, network
from appliance.ops.doctor.facts import DaemonFacts, Facts, HomeFacts, Installation, NetworkFacts, ServiceFacts
from tests.unit.ops.doctor.machines import HOME, found, healthy, only

UNIT = Installation(folder="/opt/appliance", is_system=True, unit="/etc/systemd/system/appliance.service")
STOPPED = DaemonFacts()


def reached(**changes: object) -> Facts:
    return healthy(network=NetworkFacts(**{"keys": (), "host": "0.0.0.0", "is_exposed": True} | changes))


def test_no_daemon_is_a_note_with_the_command_that_starts_it() -> None:
    assert only(daemon.running, healthy(daemon=STOPPED)).mend == "appliance serve"
    assert only(daemon.running, healthy(daemon=STOPPED, installation=UNIT)).mend == "sudo systemctl start appliance"
    assert not found(daemon.running, healthy())


def test_a_daemon_that_is_not_ready_says_why() -> None:
    loading = DaemonFacts(process=7, is_ready=False, not_ready_reason="it loads")

    assert (only(daemon.running, healthy(daemon=loading)).reason) == "it loads"


def test_a_daemon_that_does_not_answer_is_an_error() -> None:
    finding = only(daemon.running, healthy(daemon=DaemonFacts(process=7, problem="it fell silent")))

    assert (finding.state, finding.reason) == ("error", "it fell silent")


def test_what_a_killed_daemon_left_can_be_removed() -> None:
    left = HomeFacts(path=HOME, run_files=(f"{HOME}/run/daemon.json",))

    assert only(daemon.leftovers, healthy(home=left, daemon=STOPPED)).repair == Repair(
        kind="remove_file", path=f"{HOME}/run/daemon.json"
    )
    assert not found(daemon.leftovers, healthy(home=left)), "a daemon that runs needs them"


@pytest.mark.parametrize(
    ("service", "state", "mend"),
    [
        (ServiceFacts(active_state="failed", unit_file_state="enabled", result="exit-code"), "error", "restart"),
        (ServiceFacts(active_state="active", unit_file_state="disabled", result="success"), "warning", "enable --now"),
        (ServiceFacts(active_state="inactive", unit_file_state="enabled", result="success"), "warning", "start"),
    ],
)
def test_a_service_that_does_not_run_is_found(service: ServiceFacts, state: str, mend: str) -> None:
    finding = only(daemon.service, healthy(service=service))

    assert (finding.state, finding.mend) == (state, f"sudo systemctl {mend} appliance")


def test_a_service_that_runs_is_fine_and_one_that_is_not_ours_no_matter() -> None:
    runs = ServiceFacts(active_state="active", unit_file_state="enabled", result="success")

    assert not found(daemon.service, healthy(service=runs))
    assert daemon.service(healthy()) is None


@pytest.mark.parametrize(
    ("problem", "mend"),
    [
        ("in_use", "appliance serve --port 8485"),
        ("not_allowed", "appliance serve --port 8484"),
        ("no_address", "appliance serve --host 127.0.0.1"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_an_error(problem: str, mend: str) -> None:
    facts = healthy(daemon=STOPPED, network=NetworkFacts(bind_problem=problem, keys=()))

    assert (only(network.port, facts).state, only(network.port, facts).mend) == ("error", mend)
    assert not found(network.port, healthy(daemon=STOPPED))
    assert network.port(healthy()) is None, "our own daemon listens there"


def test_who_holds_the_port_is_named_or_how_to_find_out() -> None:
    def reason(holder: str | None) -> str | None:
        network_facts = NetworkFacts(bind_problem="in_use", keys=(), port_holder=holder)
        return only(network.port, healthy(daemon=STOPPED, network=network_facts)).reason

    assert reason("ollama (process 7)") == "ollama (process 7) listens there"
    assert "sudo ss -ltnp 'sport = :8484'" in (reason(None) or "")


@pytest.mark.parametrize(
    ("problem", "holder", "mend"),
    [
        ("in_use", "ollama (process 7)", "sudo systemctl stop ollama"),
        ("in_use", None, "sudo systemctl stop ollama"),
        ("in_use", "nginx (process 7)", "appliance serve --ollama-port 501"),
        ("not_allowed", None, "appliance serve --ollama-port 11434"),
    ],
)
def test_ollama_itself_keeps_the_second_port(problem: str, holder: str | None, mend: str) -> None:
    network_facts = NetworkFacts(ollama_port=500, ollama_bind_problem=problem, ollama_port_holder=holder, keys=())
    finding = only(network.ollama_port, healthy(daemon=STOPPED, network=network_facts))

    assert (finding.state, finding.mend) == ("error", mend)
    assert "port 500" in finding.title
    assert not found(network.ollama_port, healthy(daemon=STOPPED))


def test_exposure_without_a_key_is_an_error() -> None:
    assert only(network.exposure, reached()).mend == "appliance keys create NAME"
    assert not found(network.exposure, healthy())


def test_a_damaged_key_is_not_taken_for_no_key() -> None:
    assert not found(network.exposure, reached(num_unreadable_keys=1))
    assert only(network.unreadable_keys, reached(num_unreadable_keys=1)).state == "warning"
    assert not found(network.unreadable_keys, healthy())


def test_a_key_for_everything_is_noted_where_others_can_use_it() -> None:
    keys = (KeyInfo(name="laptop", scope="use"), KeyInfo(name="boss", scope="admin"))
    finding = only(network.exposure, reached(keys=keys))

    assert finding.state == "note" and "boss" in finding.title and "laptop" not in finding.title
    assert not found(network.exposure, reached(keys=keys[:1]))
    assert not found(network.exposure, healthy(network=NetworkFacts(keys=keys))), "nobody else can reach it"


def test_a_wildcard_allows_nothing_and_is_found() -> None:
    finding = only(network.wildcards, healthy(network=NetworkFacts(allowed_hosts=("*",), allowed_origins=("*",))))

    assert "server.allowed_hosts and server.allowed_origins" in finding.title
    assert not found(network.wildcards, healthy(network=NetworkFacts(allowed_hosts=("box.example",))))
