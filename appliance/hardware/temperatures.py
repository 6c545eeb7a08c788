"""Temperatures: hwmon chips and thermal zones under names that say something, each sensor once, no nonsense."""

import re
from collections.abc import Iterator

from appliance.core.hardware import Temperature
from appliance.hardware.files import Tree

_HWMON = "/sys/class/hwmon"
_ZONES = "/sys/class/thermal"
_MAX_SENSORS = 64
# An input that nothing is soldered to reads 0, -128, 127 or thousands; Jetson's PMIC zones say exactly 100 for ever.
_COLDEST, _HOTTEST = -30.0, 126.0
_FIXED_ZONES = re.compile(r"pmic_die|thermal_fan_est")
# A mainboard's monitor has a dozen unnamed inputs, most of them not connected.
_MAINBOARD_CHIPS = re.compile(r"(nct|it8|w83|f71|sch5|asus)")
_NAMES = {
    "coretemp": "CPU",
    "k10temp": "CPU",
    "zenpower": "CPU",
    "cpu_thermal": "CPU",
    "cpu_therm": "CPU",
    "soc_thermal": "SoC",
    "gpu_thermal": "GPU",
    "gpu_therm": "GPU",
    "amdgpu": "AMD GPU",
    "i915": "Intel GPU",
    "xe": "Intel GPU",
    "nouveau": "NVIDIA GPU",
    "nvme": "NVMe",
    "drivetemp": "disk",
    "acpitz": "mainboard",
    "rp1_adc": "RP1",
    "tj_thermal": "junction",
}
# The same sensors as coretemp's, by other drivers.
_COPIES = frozenset({"x86_pkg_temp", "tcpu", "tcpu_pci", "b0d4"})


def read_temperatures(tree: Tree) -> tuple[Temperature, ...]:
    """Return the temperatures of all sensors that make sense, chips first."""
    chips = [(folder, _key(tree.read_line(f"{folder}/name"))) for folder in _folders(tree, _HWMON, "hwmon")]
    found = [sensor for folder, name in chips for sensor in _read_chip(tree, folder, name)]
    # The kernel shows most zones as chips, too, under the same name.
    names = {name for _, name in chips}
    has_package = bool(names & {"coretemp", "k10temp"})
    for folder in _folders(tree, _ZONES, "thermal_zone"):
        zone = _key(tree.read_line(f"{folder}/type"))
        if zone not in names and not _FIXED_ZONES.match(zone) and not (has_package and zone in _COPIES):
            found.extend(_read_zone(tree, folder, zone))
    return _numbered(found[:_MAX_SENSORS])


def _read_chip(tree: Tree, folder: str, chip: str) -> Iterator[Temperature]:
    files = tree.list_dir(folder)
    inputs = sorted(int(match[1]) for file in files if (match := re.fullmatch(r"temp(\d{1,3})_input", file)))
    labels = {number: tree.read_line(f"{folder}/temp{number}_label") for number in inputs}
    has_package = any((label or "").startswith("Package") for label in labels.values())
    for number in inputs:
        label = labels[number]
        if has_package and (label or "").startswith("Core "):
            continue  # as many as there are cores, all near the package's
        if _MAINBOARD_CHIPS.match(chip) and (label is None or label.startswith("AUXTIN")):
            continue
        celsius = _celsius(tree.read_int(f"{folder}/temp{number}_input"))
        if celsius is not None:
            limit = _celsius(tree.read_int(f"{folder}/temp{number}_crit"))
            yield Temperature(sensor=_sensor(chip, label), celsius=celsius, limit_celsius=limit)


def _read_zone(tree: Tree, folder: str, zone: str) -> Iterator[Temperature]:
    celsius = _celsius(tree.read_int(f"{folder}/temp"))
    if celsius is None:
        return
    trips = [match[1] for file in tree.list_dir(folder) if (match := re.fullmatch(r"trip_point_(\d+)_type", file))]
    critical = next((n for n in trips if tree.read_line(f"{folder}/trip_point_{n}_type") == "critical"), None)
    limit = None if critical is None else _celsius(tree.read_int(f"{folder}/trip_point_{critical}_temp"))
    yield Temperature(sensor=_sensor(zone, None), celsius=celsius, limit_celsius=limit)


def _sensor(name: str, label: str | None) -> str:
    """Return what to call a sensor: `CPU`, `NVMe Composite`, `AMD GPU edge`."""
    kind = _NAMES.get(name) or re.sub(r"_therm(al)?$", "", name).replace("_", " ")
    return kind if label is None or label.startswith("Package") else f"{kind} {label}"


def _numbered(sensors: list[Temperature]) -> tuple[Temperature, ...]:
    """Return the sensors with a number after a name that came before: two disks, two sockets."""
    counts: dict[str, int] = {}
    result: list[Temperature] = []
    for sensor in sensors:
        count = counts[sensor.sensor] = counts.get(sensor.sensor, 0) + 1
        name = sensor.sensor if count == 1 else f"{sensor.sensor} #{count}"
        result.append(Temperature(sensor=name, celsius=sensor.celsius, limit_celsius=sensor.limit_celsius))
    return tuple(result)


def _celsius(millidegrees: int | None) -> float | None:
    if not millidegrees:
        return None
    celsius = millidegrees / 1000
    return celsius if _COLDEST < celsius < _HOTTEST else None


def _key(name: str | None) -> str:
    return (name or "unnamed").lower().replace("-", "_")


def _folders(tree: Tree, parent: str, prefix: str) -> list[str]:
    """Return the folders `prefix0`, `prefix1`, … by number."""
    names = [name for name in tree.list_dir(parent) if re.fullmatch(rf"{prefix}\d{{1,4}}", name)]
    return [f"{parent}/{name}" for name in sorted(names, key=lambda name: int(name.removeprefix(prefix)))]
