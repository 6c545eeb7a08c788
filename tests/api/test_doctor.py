"""`GET /admin/v1/doctor`: the daemon looks at its own machine."""

import httpx

from appliance.client import Client
from tests.api.conftest import Daemon


def test_the_daemon_says_what_is_wrong_with_its_own_machine(daemon: Daemon) -> None:
    (daemon.home / "run").mkdir()
    (daemon.home / "run").chmod(0o777)
    diagnosis = Client(daemon.url).doctor()

    assert diagnosis.worst == "error"
    assert [finding.check for finding in diagnosis.findings if finding.state == "error"] == ["folders.mode"]
    assert "daemon" in {finding.check for finding in diagnosis.findings}
    assert "network.port" not in {finding.check for finding in diagnosis.findings}, "it listens there itself"


def test_the_diagnosis_names_keys_so_it_needs_a_key_for_everything(daemon: Daemon, http: httpx.Client) -> None:
    key = daemon.parts.keys.create("laptop", "operate").key
    response = http.get("/admin/v1/doctor", headers={"authorization": f"Bearer {key}"})

    assert response.status_code == 403
