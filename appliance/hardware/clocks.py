"""The clock of the processors at this moment."""

import re

from appliance.hardware.files import Tree, parse_int

_CPUS = "/sys/devices/system/cpu"
# Where the kernel measures the clock, each reading may cost an interrupt on another core.
_MAX_FOLDERS = 16


def cpufreq_folders(tree: Tree) -> list[str]:
    """Return the folders of some processors' clocks, spread over all of them: the slow cores come last."""
    cpus = sorted(int(match[1]) for name in tree.list_dir(_CPUS) if (match := re.fullmatch(r"cpu(\d{1,5})", name)))
    step = -(-len(cpus) // _MAX_FOLDERS) or 1
    return [f"{_CPUS}/cpu{cpu}/cpufreq" for cpu in cpus[::step]]


def read_mhz(tree: Tree) -> float | None:
    """Return the clock of the fastest processor now: the mean would mostly tell of those that sleep."""
    values = (tree.read_int(f"{folder}/scaling_cur_freq") for folder in cpufreq_folders(tree))
    kilohertz = [value for value in values if value]
    return max(kilohertz) / 1000 if kilohertz else parse_mhz(tree.read_text("/proc/cpuinfo", max_bytes=2**21))


def parse_mhz(cpuinfo: str) -> float | None:
    """Return the clock of the fastest processor from the text of `/proc/cpuinfo`; ARM's has none."""
    clocks = re.findall(r"^cpu MHz\s*: (\d{1,5})\.\d+$", cpuinfo, re.MULTILINE | re.ASCII)
    megahertz = [value for clock in clocks if (value := parse_int(clock))]
    return float(max(megahertz)) if megahertz else None
