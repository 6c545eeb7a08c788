"""The place of the machine and the box itself."""

from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input

from appliance.core.admin import KeyInfo, Keys
from appliance.core.doctor import Diagnosis, Finding
from appliance.core.hardware import (
    Accelerator,
    Hardware,
    HardwareReadings,
    HardwareSnapshot,
    Instruction,
    Memory,
    Processor,
    System,
)
from appliance.core.settings_view import ChangedSettings, SettingChange, SettingsView, SettingView
from tests.tui.conftest import SIZES, Drive, at_rest, driven, seen, until, until_seen
from tests.unit.cli.fake_daemon import FakeDaemon, loaded, status
from tui.app import Terminal
from tui.screens.system_rows import as_text, setting_lines, setting_row
from tui.widgets.table import Table
from tui.widgets.tones import plain

HARDWARE, DOCTOR, KEYS, SETTINGS = (f"/admin/v1/{name}" for name in ("hardware", "doctor", "keys", "settings"))
MACHINE = Hardware(
    snapshot=HardwareSnapshot(
        processor=Processor(
            architecture="x86_64",
            vendor="AMD",
            model="AMD Ryzen 7 7840U",
            features=frozenset(),
            instructions=frozenset({Instruction.AVX2, Instruction.FMA}),
            num_sockets=1,
            logical_cores=16,
            physical_cores=8,
            performance_cores=None,
            efficiency_cores=None,
            quota_cores=None,
            usable_cores=8,
            max_mhz=5100.0,
            governor="powersave",
            caches=(),
        ),
        memory=Memory(total_bytes=32 * 2**30, physical_bytes=None, limit_bytes=None, swap_bytes=2**30),
        accelerators=(
            Accelerator(
                id="pci:0000:01:00.0",
                kind="gpu",
                vendor="amd",
                name="Radeon 780M",
                driver="amdgpu",
                driver_version=None,
                architecture="gfx1103",
                memory_bytes=2**30,
                is_integrated=True,
            ),
        ),
        system=System(name="Debian GNU/Linux 12", kernel="6.1.0", container=None, virtual_machine=None),
        notes=("the power of the [machine] cannot be read",),
    ),
    readings=HardwareReadings(
        cpu_busy_ratio=0.34,
        load_average_1_min=1.0,
        cpu_mhz=3300.0,
        memory_available_bytes=20 * 2**30,
        swap_used_bytes=0,
        temperatures=(),
        is_throttled=True,
        throttling=("too hot",),
        cpu_watts=12.5,
        system_watts=None,
        power_source="battery",
        battery_ratio=0.8,
        accelerators=(),
        notes=(),
    ),
)
FINDINGS = (
    Finding(
        check="keys.mode",
        state="error",
        title="others may read the keys",
        reason="whoever has an account on the machine may use the box",
        mend="chmod 600 /var/lib/appliance/keys",
    ),
    Finding(check="memory.swap", state="warning", title="memory is swapped out to an [SD card]"),
    Finding(check="clock", state="ok", title="the clock is plausible"),
)
PORT = SettingView(
    key="server.port",
    description="The port to listen on.",
    value=8484,
    next_value=8484,
    default=8484,
    origin="default",
    source="default",
    kind="integer",
    accepted="a whole number from 0 to 65535",
    low=0.0,
    high=65535.0,
)
LEVEL = replace(
    PORT,
    key="log.level",
    description="From which level up is logged.",
    value="info",
    next_value="debug",
    default="info",
    origin="file",
    source="/var/lib/appliance/appliance.toml",
    kind="choice",
    accepted="one of debug, info",
    choices=("debug", "info"),
)


@pytest.fixture
def known_box(fake_box: FakeDaemon) -> FakeDaemon:
    fake_box.reply("GET", "/admin/v1/status", status(loaded()))
    fake_box.reply("GET", HARDWARE, MACHINE)
    fake_box.reply("GET", DOCTOR, Diagnosis(findings=FINDINGS, worst="error"))
    fake_box.reply("GET", KEYS, Keys(keys=(KeyInfo(name="laptop", scope="use", options={"weight": "2"}),)))
    fake_box.reply("GET", SETTINGS, SettingsView(file="/var/lib/appliance/appliance.toml", settings=(PORT, LEVEL)))
    return fake_box


async def go(pilot: Pilot[Any], section: str = "hardware") -> Any:
    """Go to a section, and return the place."""
    app: Any = pilot.app
    app.action_go("system")
    await until(pilot, lambda: app.screen.query_one("#settings"))
    app.screen.action_section(section)
    return app.screen


LOOKS = {
    "hardware": "Radeon 780M",
    "doctor": "the clock is plausible",
    "keys": "laptop",
    "settings": "log.level",
    "versions": "Python",
}


@pytest.mark.parametrize("section", LOOKS)
def test_it_looks_as_it_did(known_box: FakeDaemon, fake_terminal: Terminal, snap_compare: Any, section: str) -> None:
    async def look(pilot: Pilot[Any]) -> None:
        await go(pilot, section)
        await at_rest(LOOKS[section], "●")(pilot)

    assert snap_compare(fake_terminal, terminal_size=SIZES["80x24"], run_before=look)


def test_it_looks_as_it_did_with_much_room(known_box: FakeDaemon, fake_terminal: Terminal, snap_compare: Any) -> None:
    async def look(pilot: Pilot[Any]) -> None:
        await go(pilot, "settings")
        await at_rest("log.level", "box.local")(pilot)

    assert snap_compare(fake_terminal, terminal_size=SIZES["160x48"], run_before=look)


def test_arrows_go_from_section_to_section(known_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot)
        await until_seen(pilot, "[Hardware]", "AMD Ryzen", "cannot be read", "▲ too hot")
        await pilot.press("left")
        await until_seen(pilot, "[Versions]", "Python", "/var/lib/appliance")
        await pilot.press("right", "right")
        await until_seen(pilot, "[Doctor]", "memory is swapped out to an [SD card]")

    driven(fake_terminal, script, (100, 48))


def test_the_command_that_mends_a_finding_can_be_copied(known_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "doctor")
        await until_seen(pilot, "✕ error", "$ chmod 600 /var/lib/appliance/keys")
        await pilot.press("enter")
        assert pilot.app.clipboard == "chmod 600 /var/lib/appliance/keys"
        await pilot.press("down", "enter")
        await until_seen(pilot, "there is no command for this one")
        known_box.reply("GET", DOCTOR, Diagnosis(findings=FINDINGS[2:], worst="ok"))
        await pilot.press("r")
        await until(pilot, lambda: "chmod" not in seen(pilot.app))

    driven(fake_terminal, script)


def test_a_setting_is_changed_and_says_when_it_counts(known_box: FakeDaemon, fake_terminal: Terminal) -> None:
    known_box.refuse("PATCH", SETTINGS, 400, "server.port: 99999 is not a whole number from 0 to 65535")

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "settings")
        await until_seen(pilot, "▲ info", "8484", "write a whole number from 0 to 65535")
        await pilot.press("enter")
        await until_seen(pilot, "The port to listen on.")
        await pilot.press(*["backspace"] * 4, *"99999", "enter")
        await until_seen(pilot, "99999 is not a whole number")
        change = SettingChange(key="server.port", before=8484, value=80, takes_effect="restart")
        known_box.reply("PATCH", SETTINGS, ChangedSettings(file="f", backup=None, changes=(change,)))
        await until(pilot, lambda: pilot.app.screen.query_one(Input).value == "99999")
        await pilot.press(*["backspace"] * 5, *"80", "enter")
        await until_seen(pilot, "server.port is written and counts from the next start on")
        assert known_box.last("PATCH", SETTINGS).body == {"set": {"server.port": "80"}}

    driven(fake_terminal, script)


def test_a_setting_with_choices_is_picked_and_goes_back_to_its_default(
    known_box: FakeDaemon, fake_terminal: Terminal
) -> None:
    change = SettingChange(key="log.level", before="debug", value="info", takes_effect="now")
    known_box.reply("PATCH", SETTINGS, ChangedSettings(file="f", backup=None, changes=(change,)))

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "settings")
        await until_seen(pilot, "log.level")
        await pilot.press("down")
        await until_seen(pilot, "▲ from the next start on: debug")
        await pilot.press("enter")
        await until_seen(pilot, "Enter: choose")
        await pilot.press("down", "enter")
        await until_seen(pilot, "log.level counts from now on")
        assert known_box.last("PATCH", SETTINGS).body == {"set": {"log.level": "info"}}
        await pilot.press("d")
        await until(pilot, lambda: known_box.last("PATCH", SETTINGS).body == {"unset": ["log.level"]})

    driven(fake_terminal, script)


def test_settings_are_found_by_what_they_are_for(known_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        place = await go(pilot, "settings")
        await until_seen(pilot, "log.level")
        await pilot.press("slash", *"listen", "left", "enter")
        await until(pilot, lambda: [row.key for row in place.query_one("#settings", Table).items] == ["server.port"])
        await pilot.press("escape")
        await until_seen(pilot, "log.level")

    driven(fake_terminal, script)


def test_stopping_the_box_asks_first(known_box: FakeDaemon, fake_terminal: Terminal) -> None:
    known_box.reply("POST", "/admin/v1/drain", {})

    def is_stopped() -> bool:
        return any(asked.path == "/admin/v1/drain" for asked in known_box.asked)

    async def script(pilot: Pilot[Any]) -> None:
        await go(pilot, "versions")
        await pilot.press("x")
        await until_seen(pilot, "Stop the box?", "the daemon ends")
        await pilot.press("escape", "x")
        await until_seen(pilot, "Stop the box?")
        assert not is_stopped()
        await pilot.press("y")
        await until(pilot, is_stopped)

    driven(fake_terminal, script)


def test_a_key_is_made_shown_once_and_revoked(drive: Drive) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        place = await go(pilot, "keys")
        table = place.query_one("#keys", Table)
        await until(pilot, lambda: "keys" in place._known)
        num_before = len(table.items)
        await pilot.press("n")
        await until_seen(pilot, "New key")
        await pilot.press(*"tui-test", "enter")
        await until_seen(pilot, "What may it do?")
        await pilot.press("enter")
        await until_seen(pilot, "The key tui-test", "sk-", "the only time that it is shown")
        await pilot.press("c")
        assert pilot.app.clipboard.startswith("sk-")
        assert "\n" not in pilot.app.clipboard
        await pilot.press("escape")
        await until(pilot, lambda: len(table.items) == num_before + 1)
        table.go_to("tui-test")
        await until(pilot, lambda: table.chosen == "tui-test")
        await pilot.press("d")
        await until_seen(pilot, "Revoke the key tui-test?")
        await pilot.press("y")
        await until(pilot, lambda: len(table.items) == num_before)

    drive(script)


def test_the_real_box_is_shown(drive: Drive) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        place = await go(pilot)
        await until_seen(pilot, "Processor", "instructions", "Memory")
        place.action_section("settings")
        await until_seen(pilot, "server.host", "127.0.0.1")
        place.action_section("doctor")
        await until_seen(pilot, "the daemon runs and is ready")

    drive(script)


def test_values_are_as_they_may_be_typed() -> None:
    size = replace(PORT, kind="bytes")

    assert as_text(size, 32 * 2**20) == "32 MiB"
    assert as_text(size, 3 * 2**30) == "3 GiB"
    assert as_text(size, 1000) == "1000"
    assert as_text(PORT, None) == "none"
    assert as_text(PORT, ["a", "b"]) == "a, b"
    assert as_text(PORT, {"qwen3": "Q4_K_M"}) == "qwen3=Q4_K_M"


def test_a_setting_that_a_variable_overrides_says_so() -> None:
    setting = replace(
        PORT, origin="environment", source="APPLIANCE_SERVER__PORT", overridden_by="APPLIANCE_SERVER__PORT"
    )

    assert "▲ APPLIANCE_SERVER__PORT goes before the file" in plain(setting_lines(setting))
    assert plain(setting_row(replace(setting, next_value=1)).cells["value"]) == "▲ 8484"
