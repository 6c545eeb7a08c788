"""What the machine does now, from trees that stand for moments: load, clock, heat, throttling, power."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.hardware.files import Tree
from appliance.hardware.readings import CpuTimes, ReadingsProbe, busy_ratio, parse_cpu_times, parse_load
from appliance.hardware.temperatures import read_temperatures
from appliance.hardware.throttling import explain_pi, parse_pi_throttled
from tests.unit.hardware.cards import plug
from tests.unit.hardware.trees import plant, tree_of

HWMON = "/sys/class/hwmon"
ZONES = "/sys/class/thermal"
RAPL = "/sys/class/powercap"
SUPPLY = "/sys/class/power_supply"
CPU = "/sys/devices/system/cpu"


class Clock:
    """Goes on by two seconds whenever it is looked at."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        self.now_s += 2.0
        return self.now_s


@pytest.fixture
def probe(tmp_path: Path) -> ReadingsProbe:
    return ReadingsProbe(tmp_path, clock=Clock())


def test_an_empty_tree_raises_nothing_and_tells_nothing(probe: ReadingsProbe) -> None:
    readings = probe.read()
    assert (readings.cpu_busy_ratio, readings.load_average_1_min, readings.cpu_mhz) == (None, None, None)
    assert (readings.temperatures, readings.throttling, readings.accelerators) == ((), (), ())
    assert (readings.is_throttled, readings.cpu_watts, readings.system_watts) == (None, None, None)
    assert (readings.power_source, readings.battery_ratio, readings.swap_used_bytes) == (None, None, None)
    assert readings.memory_available_bytes > 0


def test_load_and_memory_are_those_of_the_tree(tmp_path: Path, probe: ReadingsProbe) -> None:
    meminfo = "MemTotal: 8000 kB\nMemAvailable: 5000 kB\nSwapTotal: 1000 kB\nSwapFree: 400 kB\n"
    stat = {"/proc/stat": "cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 10 0 10 70 10 0 0 0 0 0\n"}
    plant(tmp_path, stat | {"/proc/meminfo": meminfo, "/proc/loadavg": "0.75 0.60 0.50 2/345 6789\n"})
    first = probe.read()
    plant(tmp_path, {"/proc/stat": "cpu  60 0 35 80 15 0 5 5 0 0\n"})
    second = probe.read()
    assert (first.cpu_busy_ratio, second.cpu_busy_ratio) == (None, 0.85)
    assert first.load_average_1_min == 0.75
    assert (first.memory_available_bytes, first.swap_used_bytes) == (5000 * 1024, 600 * 1024)


@pytest.mark.parametrize("text", ["", "cpu", "cpu a b c d", "cpu  1 2", "\x00", "cpu0 1 2 3 4 5"])
def test_what_is_no_processor_time_is_none(text: str) -> None:
    assert parse_cpu_times(text) is None
    assert parse_load(text) is None


def test_a_guests_time_is_not_counted_twice() -> None:
    assert parse_cpu_times("cpu  100 0 0 100 0 0 0 0 90 5\n") == CpuTimes(100, 200)


def test_time_that_goes_backwards_makes_no_ratio() -> None:
    assert busy_ratio(CpuTimes(10, 100), CpuTimes(5, 90)) is None


def test_the_clock_is_that_of_the_fastest_processor(tmp_path: Path, probe: ReadingsProbe) -> None:
    plant(tmp_path, {f"{CPU}/cpu{n}/cpufreq/scaling_cur_freq": f"{800 + 400 * n}000\n" for n in range(4)})
    assert probe.read().cpu_mhz == 2000


def test_the_clock_comes_from_cpuinfo_where_nothing_scales_it(tmp_path: Path, probe: ReadingsProbe) -> None:
    plant(
        tmp_path, {"/proc/cpuinfo": "processor\t: 0\ncpu MHz\t\t: 2595.124\n\nprocessor\t: 1\ncpu MHz\t\t: 3100.000\n"}
    )
    assert probe.read().cpu_mhz == 3100


def _sensors(tree: Tree) -> dict[str, float]:
    return {sensor.sensor: sensor.celsius for sensor in read_temperatures(tree)}


def test_a_package_stands_for_its_cores_and_for_its_copies(tmp_path: Path) -> None:
    chip = f"{HWMON}/hwmon2"
    labels = {1: "Package id 0", 2: "Core 0", 3: "Core 1"}
    files = {f"{chip}/temp{n}_label": label for n, label in labels.items()}
    files |= {f"{chip}/temp{n}_input": f"{50 + n}000\n" for n in labels} | {f"{chip}/name": "coretemp\n"}
    files |= {f"{chip}/temp1_crit": "100000\n", f"{ZONES}/thermal_zone9/type": "x86_pkg_temp\n"}
    files |= {f"{ZONES}/thermal_zone9/temp": "51000\n"}
    (sensor,) = read_temperatures(tree_of(tmp_path, files))
    assert (sensor.sensor, sensor.celsius, sensor.limit_celsius) == ("CPU", 51, 100)


def test_a_zone_that_the_kernel_shows_as_a_chip_too_is_one_sensor(tmp_path: Path) -> None:
    # Raspberry Pi 5
    files = {
        f"{HWMON}/hwmon0/name": "cpu_thermal\n",
        f"{HWMON}/hwmon0/temp1_input": "48312\n",
        f"{HWMON}/hwmon1/name": "rp1_adc\n",
        f"{HWMON}/hwmon1/temp1_input": "51200\n",
        f"{ZONES}/thermal_zone0/type": "cpu-thermal\n",
        f"{ZONES}/thermal_zone0/temp": "48312\n",
    }
    assert _sensors(tree_of(tmp_path, files)) == {"CPU": 48.312, "RP1": 51.2}


def test_zones_of_jetson_are_named_and_its_fixed_one_is_left_out(tmp_path: Path) -> None:
    zones = {"cpu-thermal": 45000, "gpu-thermal": 43500, "soc0-thermal": 42000, "tj-thermal": 46000, "PMIC-Die": 100000}
    files = {f"{ZONES}/thermal_zone{n}/type": f"{name}\n" for n, name in enumerate(zones)}
    files |= {f"{ZONES}/thermal_zone{n}/temp": f"{value}\n" for n, value in enumerate(zones.values())}
    trip = f"{ZONES}/thermal_zone0/trip_point_1"
    tree = tree_of(tmp_path, files | {f"{trip}_type": "critical\n", f"{trip}_temp": "104500\n"})
    assert _sensors(tree) == {"CPU": 45, "GPU": 43.5, "soc0": 42, "junction": 46}
    assert read_temperatures(tree)[0].limit_celsius == 104.5


@pytest.mark.parametrize("text", ["0\n", "-128000\n", "127000\n", "3892000\n", "hot\n", "", "9" * 40])
def test_nonsense_is_no_temperature(tmp_path: Path, text: str) -> None:
    files = {f"{HWMON}/hwmon0/name": "acpitz\n", f"{HWMON}/hwmon0/temp1_input": text}
    assert _sensors(tree_of(tmp_path, files)) == {}


def test_inputs_of_a_mainboard_chip_that_nothing_names_are_left_out(tmp_path: Path) -> None:
    chip = f"{HWMON}/hwmon3"
    files = {f"{chip}/name": "nct6798\n", f"{chip}/temp1_label": "SYSTIN\n", f"{chip}/temp2_label": "AUXTIN0\n"}
    files |= {f"{chip}/temp{n}_input": "33000\n" for n in (1, 2, 3)}
    assert _sensors(tree_of(tmp_path, files)) == {"nct6798 SYSTIN": 33}


def test_two_disks_are_told_apart(tmp_path: Path) -> None:
    files = {f"{HWMON}/hwmon{n}/name": "nvme\n" for n in (0, 1)}
    files |= {f"{HWMON}/hwmon{n}/temp1_label": "Composite\n" for n in (0, 1)}
    files |= {f"{HWMON}/hwmon{n}/temp1_input": f"{40 + n}850\n" for n in (0, 1)}
    assert _sensors(tree_of(tmp_path, files)) == {"NVMe Composite": 40.85, "NVMe Composite #2": 41.85}


# Source of the values: Raspberry Pi documentation of `vcgencmd get_throttled`, and forum reports that decode them.
@pytest.mark.parametrize(
    ("text", "is_throttled", "reasons"),
    [
        ("0\n", False, ()),
        (
            "50005\n",
            True,
            ("the supply's voltage is too low", "the clock is held down"),
        ),
        (
            "0x50000\n",
            False,
            (
                "the supply's voltage was too low since the machine started",
                "the clock was held down since the machine started",
            ),
        ),
        (
            "e0008\n",
            True,
            (
                "the soft temperature limit is reached",
                "the clock was capped since the machine started",
                "the clock was held down since the machine started",
            ),
        ),
    ],
)
def test_raspberry_pis_firmware_says_why(
    tmp_path: Path, probe: ReadingsProbe, text: str, is_throttled: bool, reasons: tuple[str, ...]
) -> None:
    plant(tmp_path, {"/sys/devices/platform/soc/soc:firmware/get_throttled": text})
    readings = probe.read()
    assert (readings.is_throttled, readings.throttling) == (is_throttled, reasons)


def test_raspberry_pi_5_has_its_firmware_elsewhere(tmp_path: Path, probe: ReadingsProbe) -> None:
    plant(tmp_path, {"/sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled": "1\n"})
    assert probe.read().throttling == explain_pi(1)


@pytest.mark.parametrize("text", ["", "zz", "-1", "5000500050005", "\x00"])
def test_what_are_no_bits_is_none(text: str) -> None:
    assert parse_pi_throttled(text) is None


def test_the_voltage_alarm_is_used_where_the_firmware_says_nothing(tmp_path: Path, probe: ReadingsProbe) -> None:
    plant(tmp_path, {f"{HWMON}/hwmon1/name": "rpi_volt\n", f"{HWMON}/hwmon1/in0_lcrit_alarm": "1\n"})
    readings = probe.read()
    assert (readings.is_throttled, readings.throttling) == (True, ("the supply's voltage is too low",))


def test_a_count_of_heat_that_grows_is_throttling_now(tmp_path: Path, probe: ReadingsProbe) -> None:
    counts = [f"{CPU}/cpu{n}/thermal_throttle/package_throttle_count" for n in (0, 1)]
    plant(tmp_path, dict.fromkeys(counts, "7\n"))
    first, second = probe.read(), probe.read()
    plant(tmp_path, dict.fromkeys(counts, "10\n"))
    third = probe.read()
    assert first.is_throttled is None
    assert first.throttling == ("heat slowed the processor down 7 times since the machine started",)
    assert (second.is_throttled, second.throttling) == (False, ())
    assert third.is_throttled
    assert third.throttling == ("heat slowed the processor down 3 times since the last reading",)


def test_jetsons_alarms_of_current_are_counted(tmp_path: Path, probe: ReadingsProbe) -> None:
    chip = {f"{HWMON}/hwmon4/name": "soctherm_oc\n", f"{HWMON}/hwmon4/oc1_event_cnt": "0\n"}
    plant(tmp_path, chip | {f"{HWMON}/hwmon4/oc3_event_cnt": "1\n"})
    probe.read()
    plant(tmp_path, {f"{HWMON}/hwmon4/oc3_event_cnt": "4\n"})
    readings = probe.read()
    assert readings.is_throttled
    assert readings.throttling == ("the current was over its limit 3 times since the last reading",)


@pytest.mark.parametrize(
    ("kind", "state", "is_throttled"),
    [
        ("thermal-cpufreq-0", 2, True),
        ("Processor", 1, True),
        ("cpufreq-cpu0", 0, False),
        ("intel_powerclamp", -1, False),
        ("17000000.gpu", 1, True),
        ("pwm-fan", 4, None),
        ("Fan", 1, None),
    ],
)
def test_cooling_that_costs_speed_is_throttling_and_a_fan_is_not(
    tmp_path: Path, probe: ReadingsProbe, kind: str, state: int, is_throttled: bool | None
) -> None:
    plant(tmp_path, {f"{ZONES}/cooling_device0/type": f"{kind}\n", f"{ZONES}/cooling_device0/cur_state": f"{state}\n"})
    readings = probe.read()
    assert readings.is_throttled is is_throttled
    assert readings.throttling == ((f"the kernel slows {kind} down against heat",) if is_throttled else ())


def test_a_limit_of_the_clock_is_told_but_may_be_a_setting(tmp_path: Path, probe: ReadingsProbe) -> None:
    files = {f"{CPU}/cpu{n}/cpufreq/scaling_max_freq": "1800000\n" for n in (0, 1)}
    plant(tmp_path, files | {f"{CPU}/cpu{n}/cpufreq/cpuinfo_max_freq": "3500000\n" for n in (0, 1)})
    readings = probe.read()
    assert (readings.is_throttled, readings.throttling) == (None, ("the clock is limited to 1.8 of 3.5 GHz",))


def _rapl(energies: dict[str, tuple[str, int]]) -> Iterator[tuple[str, str]]:
    for domain, (name, microjoules) in energies.items():
        yield f"{RAPL}/{domain}/name", f"{name}\n"
        yield f"{RAPL}/{domain}/energy_uj", f"{microjoules}\n"
        yield f"{RAPL}/{domain}/max_energy_range_uj", "262143328850\n"


def test_power_is_the_mean_of_all_packages_since_the_reading_before(tmp_path: Path, probe: ReadingsProbe) -> None:
    core = {"intel-rapl:0:0": ("core", 0)}
    before = {"intel-rapl:0": ("package-0", 1_000_000), "intel-rapl:1": ("package-1", 262143328850 - 5_000_000)}
    after = {"intel-rapl:0": ("package-0", 31_000_000), "intel-rapl:1": ("package-1", 15_000_000)}
    plant(tmp_path, dict(_rapl(before | core)))
    first = probe.read()
    plant(tmp_path, dict(_rapl(after | {"intel-rapl:0:0": ("core", 90_000_000)})))
    second = probe.read()
    assert (first.cpu_watts, second.cpu_watts) == (None, pytest.approx(15 + 10))
    assert second.system_watts is None


def test_the_platforms_counter_is_the_systems_power(tmp_path: Path, probe: ReadingsProbe) -> None:
    plant(tmp_path, dict(_rapl({"intel-rapl:0": ("package-0", 0), "intel-rapl:1": ("psys", 0)})))
    probe.read()
    plant(tmp_path, dict(_rapl({"intel-rapl:0": ("package-0", 20_000_000), "intel-rapl:1": ("psys", 60_000_000)})))
    readings = probe.read()
    assert (readings.cpu_watts, readings.system_watts) == (10, 30)


def test_a_counter_that_is_roots_alone_becomes_a_note_that_mends_it(tmp_path: Path, probe: ReadingsProbe) -> None:
    plant(tmp_path, {f"{RAPL}/intel-rapl:{n}/name": f"package-{n}\n" for n in (0, 1)})
    (note,) = probe.read().notes
    assert "only root may read" in note
    assert "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj" in note


def test_after_a_long_pause_the_counter_may_have_gone_round(tmp_path: Path) -> None:
    clock = Clock()
    probe = ReadingsProbe(tmp_path, clock=clock)
    plant(tmp_path, dict(_rapl({"intel-rapl:0": ("package-0", 5)})))
    probe.read()
    clock.now_s += 3600
    assert probe.read().cpu_watts is None
    assert probe.read().cpu_watts == 0


def _ina3221(labels: dict[str, tuple[int, int]]) -> dict[str, str]:
    files = {f"{HWMON}/hwmon4/name": "ina3221\n"}
    for number, (label, (millivolts, milliamperes)) in enumerate(labels.items(), 1):
        files |= {f"{HWMON}/hwmon4/in{number}_label": label, f"{HWMON}/hwmon4/in{number}_input": f"{millivolts}\n"}
        files[f"{HWMON}/hwmon4/curr{number}_input"] = f"{milliamperes}\n"
    return files


@pytest.mark.parametrize(
    ("rails", "watts"),
    [
        ({"VDD_IN": (5000, 1200), "VDD_CPU_GPU_CV": (5000, 300), "VDD_SOC": (5000, 400)}, 6.0),
        ({"VDD_GPU_SOC": (19000, 200), "VDD_CPU_CV": (19000, 100), "VIN_SYS_5V0": (5000, 500)}, 8.2),
        ({"VDD_GPU_SOC": (19000, 200)}, None),
    ],
)
def test_jetsons_rails_say_the_boards_power(
    tmp_path: Path, probe: ReadingsProbe, rails: dict[str, tuple[int, int]], watts: float | None
) -> None:
    plant(tmp_path, _ina3221(rails))
    assert probe.read().system_watts == pytest.approx(watts)


def test_a_servers_meter_says_its_power(tmp_path: Path, probe: ReadingsProbe) -> None:
    plant(tmp_path, {f"{HWMON}/hwmon0/name": "power_meter\n", f"{HWMON}/hwmon0/power1_average": "212000000\n"})
    assert probe.read().system_watts == 212


def _battery(status: str, **more: str) -> dict[str, str]:
    fields = {"type": "Battery", "status": status, "capacity": "64"} | more
    return {f"{SUPPLY}/BAT0/{name}": f"{text}\n" for name, text in fields.items()}


def test_a_laptop_on_its_battery_says_what_it_draws(tmp_path: Path, probe: ReadingsProbe) -> None:
    mains = {f"{SUPPLY}/AC/type": "Mains\n", f"{SUPPLY}/AC/online": "0\n"}
    plant(tmp_path, mains | _battery("Discharging", current_now="1500000", voltage_now="12000000"))
    readings = probe.read()
    assert (readings.power_source, readings.battery_ratio, readings.system_watts) == ("battery", 0.64, 18)


def test_a_laptop_on_mains_says_nothing_of_what_it_draws(tmp_path: Path, probe: ReadingsProbe) -> None:
    mains = {f"{SUPPLY}/AC/type": "Mains\n", f"{SUPPLY}/AC/online": "1\n"}
    plant(tmp_path, mains | _battery("Charging", power_now="30000000"))
    readings = probe.read()
    assert (readings.power_source, readings.system_watts) == ("mains", None)


def test_a_full_battery_without_mains_listed_is_on_mains(tmp_path: Path, probe: ReadingsProbe) -> None:
    plant(tmp_path, _battery("Full"))
    assert probe.read().power_source == "mains"


def test_a_mouses_battery_is_not_the_machines(tmp_path: Path, probe: ReadingsProbe) -> None:
    plant(tmp_path, _battery("Discharging", scope="Device"))
    readings = probe.read()
    assert (readings.power_source, readings.battery_ratio) == (None, None)


def test_accelerators_are_read_with_the_rest(tmp_path: Path, probe: ReadingsProbe) -> None:
    plug(tmp_path, "0000:03:00.0", "1002:744c", driver="amdgpu", gpu_busy_percent="88")
    (gpu,) = probe.read().accelerators
    assert (gpu.id, gpu.busy_ratio) == ("pci:0000:03:00.0", 0.88)


def test_junk_in_every_file_raises_nothing(tmp_path: Path, probe: ReadingsProbe) -> None:
    junk = "\x00\x7f-- 99999999999999999999 \n,,[]{}\x1b"
    paths = [f"{HWMON}/hwmon0/{name}" for name in ("name", "temp1_input", "temp1_label", "in1_label", "power1_average")]
    paths += [f"{ZONES}/thermal_zone0/{name}" for name in ("type", "temp")] + ["/proc/stat", "/proc/loadavg"]
    paths += [f"{SUPPLY}/BAT0/{name}" for name in ("type", "status")] + [f"{RAPL}/intel-rapl:0/name", "/proc/meminfo"]
    plant(tmp_path, dict.fromkeys(paths, junk))
    assert probe.read().temperatures == ()
