"""Why the clock is held down: heat, a weak supply, a limit that someone set. Each source in its own function."""

import re
from collections.abc import Iterator

import msgspec

from appliance.hardware.clocks import cpufreq_folders
from appliance.hardware.files import Tree

_CPUS = "/sys/devices/system/cpu"
_COOLING = "/sys/class/thermal"
_HWMON = "/sys/class/hwmon"
_PLATFORM = "/sys/devices/platform"
# Cooling by slowing down; fans cool as well, but cost no speed.
_SLOWING = re.compile(r"(thermal-)?(cpufreq|devfreq|cpuidle)|processor$|intel_powerclamp$|.*throttle|\w+\.gpu$", re.I)
# Source: Raspberry Pi documentation, `vcgencmd get_throttled`; the same bits 16 higher: since the start.
_PI_BITS = {
    0: "the supply's voltage is too low",
    1: "the clock is capped",
    2: "the clock is held down",
    3: "the soft temperature limit is reached",
}
_PI_PAST_BITS = {
    16: "the supply's voltage was too low",
    17: "the clock was capped",
    18: "the clock was held down",
    19: "the soft temperature limit was reached",
}


class Throttling(msgspec.Struct, frozen=True, kw_only=True):
    """What the sources say together. `is_throttled` None: none of them could tell of this moment."""

    is_throttled: bool | None
    reasons: tuple[str, ...]
    counts: dict[str, int]


class _Source(msgspec.Struct, frozen=True):
    """One source: whether it holds the clock down now, and why it does or did."""

    is_throttled: bool | None
    reasons: tuple[str, ...] = ()


def read_throttling(tree: Tree, previous_counts: dict[str, int]) -> Throttling:
    """Return what holds the clock down. Counters that only grow are compared with those of the reading before."""
    counts = _counts(tree)
    sources = [
        *_read_counters(counts, previous_counts),
        *_read_firmware(tree),
        *_read_cooling(tree),
        *_read_caps(tree),
    ]
    told = [source.is_throttled for source in sources if source.is_throttled is not None]
    return Throttling(
        is_throttled=any(told) if told else None,
        reasons=tuple(dict.fromkeys(reason for source in sources for reason in source.reasons)),
        counts=counts,
    )


def parse_pi_throttled(text: str) -> int | None:
    """Return the bits of `get_throttled`, hexadecimal with `0x` before them or without."""
    match = re.fullmatch(r"(?:throttled=)?(?:0x)?([0-9a-fA-F]{1,8})", text.strip())
    return int(match[1], 16) if match else None


def explain_pi(bits: int) -> tuple[str, ...]:
    """Return what the bits say: what holds now, and what only happened since the machine started."""
    now = [text for bit, text in _PI_BITS.items() if bits >> bit & 1]
    past = [text for bit, text in _PI_PAST_BITS.items() if bits >> bit & 1 and not bits >> (bit - 16) & 1]
    return (*now, *(f"{text} since the machine started" for text in past))


def _read_counters(counts: dict[str, int], previous: dict[str, int]) -> Iterator[_Source]:
    for what, count in counts.items():
        if what not in previous:
            yield _Source(None, (f"{what} {count} times since the machine started",) if count else ())
        else:
            grown = count - previous[what]
            text = f"{what} {grown} times since the last reading" if grown > 0 else ""
            yield _Source(grown > 0, (text,) if text else ())


def _counts(tree: Tree) -> dict[str, int]:
    """Return the counters that only grow, by what they count."""
    heat = "heat slowed the processor down"
    current = "the current was over its limit"
    counts: dict[str, int] = {}
    for cpu in tree.list_dir(_CPUS):
        if re.fullmatch(r"cpu\d+", cpu):
            for name in ("core_throttle_count", "package_throttle_count"):
                count = tree.read_int(f"{_CPUS}/{cpu}/thermal_throttle/{name}")
                # Every core of a package counts the package's: the sum would count them once for each.
                if count is not None:
                    counts[heat] = max(counts.get(heat, 0), count)
    for chip in tree.list_dir(_HWMON):
        if tree.read_line(f"{_HWMON}/{chip}/name") == "soctherm_oc":
            files = [name for name in tree.list_dir(f"{_HWMON}/{chip}") if re.fullmatch(r"oc\d_event_cnt", name)]
            events = [tree.read_int(f"{_HWMON}/{chip}/{name}") for name in files]
            counts[current] = sum(filter(None, events))
    return counts


def _read_firmware(tree: Tree) -> Iterator[_Source]:
    """Ask Raspberry Pi's firmware; where only the voltage alarm is shown, it alone."""
    for soc in tree.list_dir(_PLATFORM):
        if re.fullmatch(r"soc(@[0-9a-f]+)?", soc):
            bits = parse_pi_throttled(tree.read_text(f"{_PLATFORM}/{soc}/{soc}:firmware/get_throttled"))
            if bits is not None:
                yield _Source(bool(bits & 0xF), explain_pi(bits))
                return
    for chip in tree.list_dir(_HWMON):
        if tree.read_line(f"{_HWMON}/{chip}/name") == "rpi_volt":
            alarm = tree.read_int(f"{_HWMON}/{chip}/in0_lcrit_alarm")
            if alarm is not None:
                yield _Source(alarm != 0, (_PI_BITS[0],) if alarm else ())


def _read_cooling(tree: Tree) -> Iterator[_Source]:
    """Look at what the kernel does against heat."""
    for device in tree.list_dir(_COOLING):
        kind = tree.read_line(f"{_COOLING}/{device}/type") if device.startswith("cooling_device") else None
        if kind and _SLOWING.match(kind):
            state = tree.read_int(f"{_COOLING}/{device}/cur_state")
            if state is not None:
                yield _Source(state > 0, (f"the kernel slows {kind} down against heat",) if state > 0 else ())


def _read_caps(tree: Tree) -> Iterator[_Source]:
    """Find a clock limit below what the processor can do; it may be a setting, so it is no proof of throttling."""
    for folder in cpufreq_folders(tree):
        limit_khz = tree.read_int(f"{folder}/scaling_max_freq")
        most_khz = tree.read_int(f"{folder}/cpuinfo_max_freq")
        if limit_khz and most_khz and limit_khz < most_khz:
            yield _Source(None, (f"the clock is limited to {limit_khz / 1e6:.1f} of {most_khz / 1e6:.1f} GHz",))
