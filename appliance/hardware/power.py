"""Power: the processor's energy counters (RAPL), sensors of the board's supply, batteries and mains."""

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from appliance.hardware.files import Notes, Tree

_POWERCAP = "/sys/class/powercap"
_HWMON = "/sys/class/hwmon"
_SUPPLIES = "/sys/class/power_supply"
# The counter starts again after some minutes under load: a longer pause would lose a round unseen.
_LONGEST_PAUSE_S = 300.0
_MIN_PAUSE_S = 0.05
# Jetson's sensors (INA3221): the whole board's rail where there is one, else those that add up to it (AGX Orin).
# Source: NVIDIA Jetson Linux Developer Guide, "Power Monitor", rails of each module.
_BOARD_RAILS = ("VDD_IN", "POM_5V_IN", "5V0_IN")
_PART_RAILS = ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")


class Counter(msgspec.Struct, frozen=True):
    """An energy counter in microjoules, and where it starts again at 0."""

    microjoules: int
    range_microjoules: int | None


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of one moment by domain (`intel-rapl:0`), with the domain's name (`package-0`, `psys`)."""

    at_s: float
    counters: dict[str, Counter]
    names: dict[str, str]


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine lives on."""

    source: Literal["mains", "battery"] | None
    battery_ratio: float | None
    battery_watts: float | None


def read_energy(tree: Tree, at_s: float, notes: Notes) -> Energy:
    """Return the energy counters of the processors' packages and of the platform."""
    counters: dict[str, Counter] = {}
    names: dict[str, str] = {}
    for domain in tree.list_dir(_POWERCAP):
        if not re.fullmatch(r"intel-rapl:\d+", domain):
            continue
        folder = f"{_POWERCAP}/{domain}"
        names[domain] = tree.read_line(f"{folder}/name") or domain
        microjoules = tree.read_int(f"{folder}/energy_uj")
        if microjoules is None:
            notes.add(
                "only root may read the processor's power; to show it until the next start: "
                f"sudo chmod a+r {_POWERCAP}/intel-rapl:*/energy_uj"
            )
        else:
            counters[domain] = Counter(microjoules, tree.read_int(f"{folder}/max_energy_range_uj"))
    return Energy(at_s=at_s, counters=counters, names=names)


def mean_watts(before: Energy | None, now: Energy, *, of_platform: bool) -> float | None:
    """Return the mean power between two readings, of all packages or of the platform; None where it is not known."""
    if before is None or not _MIN_PAUSE_S <= now.at_s - before.at_s <= _LONGEST_PAUSE_S:
        return None
    domains = [domain for domain in now.counters if (now.names[domain] == "psys") == of_platform]
    used = [_used_microjoules(before.counters.get(domain), now.counters[domain]) for domain in domains]
    known = [microjoules for microjoules in used if microjoules is not None]
    if not known or len(known) < len(used):
        return None
    return sum(known) / 1e6 / (now.at_s - before.at_s)


def read_board_watts(tree: Tree) -> float | None:
    """Return the power of the whole board as its sensors measure it: Jetson's, or a server's (ACPI power meter)."""
    rails: dict[str, float] = {}
    for chip in tree.list_dir(_HWMON):
        folder = f"{_HWMON}/{chip}"
        if tree.read_line(f"{folder}/name") == "power_meter":
            microwatts = tree.read_int(f"{folder}/power1_average")
            if microwatts:
                return microwatts / 1e6
        for number in (1, 2, 3):
            watts = _channel_watts(tree, folder, number)
            label = tree.read_line(f"{folder}/in{number}_label") if watts is not None else None
            if label is not None and watts is not None:
                rails[label] = watts
    board = next((rails[name] for name in _BOARD_RAILS if name in rails), None)
    if board is None and all(name in rails for name in _PART_RAILS):
        return sum(rails[name] for name in _PART_RAILS)
    return board


def read_supply(tree: Tree) -> Supply:
    """Return what the machine lives on. A mouse's battery is not the machine's."""
    folders = [f"{_SUPPLIES}/{name}" for name in tree.list_dir(_SUPPLIES)]
    own = [folder for folder in folders if tree.read_line(f"{folder}/scope") != "Device"]
    kinds = {folder: tree.read_line(f"{folder}/type") for folder in own}
    batteries = [folder for folder in own if kinds[folder] == "Battery"]
    is_online = any(tree.read_int(f"{folder}/online") for folder in own if kinds[folder] in ("Mains", "USB"))
    is_discharging = any(tree.read_line(f"{folder}/status") == "Discharging" for folder in batteries)
    percents = [tree.read_int(f"{folder}/capacity") for folder in batteries]
    known = [percent for percent in percents if percent is not None and 0 <= percent <= 100]
    return Supply(
        source=_source(is_online=is_online, has_battery=bool(batteries), is_discharging=is_discharging),
        battery_ratio=sum(known) / len(known) / 100 if known else None,
        battery_watts=_battery_watts(tree, batteries) if is_discharging and not is_online else None,
    )


def _source(*, is_online: bool, has_battery: bool, is_discharging: bool) -> Literal["mains", "battery"] | None:
    if is_online or (has_battery and not is_discharging):
        return "mains"
    return "battery" if has_battery else None


def _battery_watts(tree: Tree, batteries: Iterable[str]) -> float | None:
    """Return what the batteries give. Some count power, others current and voltage; drivers differ in the sign."""
    watts = []
    for folder in batteries:
        microwatts = tree.read_int(f"{folder}/power_now")
        if microwatts is None:
            microamperes, microvolts = tree.read_int(f"{folder}/current_now"), tree.read_int(f"{folder}/voltage_now")
            if microamperes is None or microvolts is None:
                continue
            microwatts = microamperes * microvolts // 10**6
        watts.append(abs(microwatts) / 1e6)
    return sum(watts) or None


def _channel_watts(tree: Tree, folder: str, number: int) -> float | None:
    """Return the power of one channel of an INA3221, which measures voltage (mV) and current (mA)."""
    millivolts, milliamperes = (tree.read_int(f"{folder}/{name}{number}_input") for name in ("in", "curr"))
    return None if millivolts is None or milliamperes is None else millivolts * milliamperes / 1e6


def _used_microjoules(before: Counter | None, now: Counter) -> int | None:
    if before is None:
        return None
    used = now.microjoules - before.microjoules
    if used < 0:
        return None if now.range_microjoules is None else used + now.range_microjoules
    return used
