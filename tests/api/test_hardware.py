"""`/admin/v1/hardware` with our own client, and what of it stands in the status."""

import httpx
import pytest

from appliance.client import Client, ClientError
from appliance.core.hardware import Bandwidth
from tests.api.conftest import LOCAL_SECRET, Daemon


def test_the_machine_is_described_as_it_was_at_the_start_with_fresh_readings(daemon: Daemon) -> None:
    hardware = Client(daemon.url).hardware()
    assert hardware.snapshot.processor.model == "Cortex-A76"
    assert hardware.snapshot.board is not None
    assert hardware.snapshot.board.family == "raspberry_pi"
    assert hardware.readings.is_throttled is True
    assert hardware.bandwidth is None


def test_sets_come_in_order_so_that_answers_can_be_compared(http: httpx.Client) -> None:
    processor = http.get("/admin/v1/hardware").json()["snapshot"]["processor"]
    assert len(processor["features"]) > 10
    assert processor["features"] == sorted(processor["features"])
    assert processor["instructions"] == sorted(processor["instructions"])


def test_the_memory_is_measured_on_demand_with_as_many_threads_as_a_model_has(daemon: Daemon) -> None:
    assert Client(daemon.url).hardware(with_bandwidth=True).bandwidth == Bandwidth(read_bytes_per_s=9e9, num_threads=4)


def test_a_key_that_only_uses_may_look_but_not_measure(daemon: Daemon) -> None:
    key = Client(daemon.url, LOCAL_SECRET).create_key("reader").key
    reader = Client(daemon.url, key)
    assert reader.hardware().snapshot.processor.model == "Cortex-A76"
    with pytest.raises(ClientError) as caught:
        reader.hardware(with_bandwidth=True)
    assert caught.value.status == 403


def test_an_odd_question_is_refused(http: httpx.Client) -> None:
    assert http.get("/admin/v1/hardware?bandwidth=perhaps").status_code == 400


def test_the_status_has_temperature_and_power_where_they_are_known(daemon: Daemon) -> None:
    machine = Client(daemon.url).status().machine
    assert (machine.temperature_celsius, machine.power_watts) == (71.3, None)
