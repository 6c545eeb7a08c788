"""The systemd unit and the settings file that an installation lays down."""

import configparser
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import msgspec
import pytest

from appliance.settings import Settings, load
from tests.installer.sandbox import ROOT

UNIT = ROOT / "installer" / "systemd" / "appliance.service"
SETTINGS = ROOT / "installer" / "appliance.toml"
NO_FIXED_DEFAULT = {
    "ollama_port",
    *("context_tokens", "kv_capacity_tokens", "threads", "max_step_sequences"),
    *("memory_bytes", "disk_bytes", "max_written_bytes_per_day"),
    *("max_bytes_per_s", "window", "batch_window", "semantic_model", "hugging_face_endpoint", "hugging_face_token"),
    *("modelscope_endpoint", "modelscope_token", "ollama_registry", "allowed_addresses", "targets"),
}


@pytest.fixture
def service() -> dict[str, str]:
    unit = configparser.ConfigParser(strict=False, interpolation=None)  # a key may stand in several lines
    unit.optionxform = str
    unit.read(UNIT)
    return dict(unit["Service"])


def test_the_service_reports_readiness_and_is_watched(service: dict[str, str]) -> None:
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 0
    assert service["Restart"] == "on-failure"


def test_the_service_may_open_gpus_although_the_clock_is_protected() -> None:
    allowed = re.findall(r"^DeviceAllow=char-(\S+) rw$", UNIT.read_text(), re.MULTILINE)
    assert {"drm", "kfd", "nvidia", "nvidia-uvm"} <= set(allowed)


def test_the_service_leaves_running_streams_their_grace_period(service: dict[str, str]) -> None:
    assert float(service["TimeoutStopSec"]) > Settings().server.drain_timeout_s
    assert service["KillMode"] == "mixed", "the workers must outlive SIGTERM until the daemon has drained"


def test_the_service_may_write_to_its_state_alone_and_read_models_in_place(service: dict[str, str]) -> None:
    assert service["ProtectSystem"] == "strict"
    assert service["ReadWritePaths"] == "/var/lib/appliance"
    assert service["ProtectHome"] == "read-only"
    assert service["NoNewPrivileges"] == "true" and service["PrivateTmp"] == "true"
    assert service["User"] == "appliance"


def test_systemd_accepts_the_unit(tmp_path: Path, service: dict[str, str]) -> None:
    if not (analyze := shutil.which("systemd-analyze")):
        pytest.skip("no systemd-analyze here")
    program = tmp_path / "appliance"  # systemd asks whether the program exists
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={program}", UNIT.read_text(), flags=re.MULTILINE))
    done = subprocess.run([analyze, "verify", copy], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert not complaints


def test_the_settings_file_changes_nothing_until_it_is_edited() -> None:
    assert not [value for section in tomllib.loads(SETTINGS.read_text()).values() for value in section]


def test_the_settings_file_shows_every_setting_with_its_real_default(tmp_path: Path) -> None:
    edited = tmp_path / "appliance.toml"
    edited.write_text(re.sub(r"^# (\w+ = )", r"\1", SETTINGS.read_text(), flags=re.MULTILINE))
    shown = tomllib.loads(edited.read_text())
    parsed = load(edited, {}, {}).settings
    for section in Settings.__struct_fields__:
        defaults = msgspec.to_builtins(getattr(Settings(), section))
        assert set(shown[section]) == set(defaults), f"[{section}] lacks a setting, or has one too many"
        for name, value in msgspec.to_builtins(getattr(parsed, section)).items():
            assert name in NO_FIXED_DEFAULT or value == defaults[name], f"{section}.{name}"
