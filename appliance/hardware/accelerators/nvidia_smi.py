"""What `nvidia-smi` says. It asks a driver that may hang: only the child runs it, as its last probe."""

import re
import subprocess

import msgspec

from appliance.core.hardware import Accelerator, AcceleratorReadings
from appliance.hardware.files import Tree, printable

CAPTURED = "/commands/nvidia-smi.csv"
# One query for facts and readings, so that a fixture is one file. Drivers before 510 do not know the last column.
COLUMNS = (
    "pci.bus_id",
    "name",
    "driver_version",
    "memory.total",
    "memory.used",
    "utilization.gpu",
    "temperature.gpu",
    "power.draw",
    "compute_cap",
)
_MAX_OUTPUT_BYTES = 64 * 1024
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,6})?")
_BUS_ID = re.compile(r"([0-9a-fA-F]{4,8}):([0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU. `address` is None on Jetson, whose GPU is not on PCI."""

    address: str | None
    name: str
    driver_version: str | None
    architecture: str | None
    memory_bytes: int | None
    is_integrated: bool | None
    memory_used_bytes: int | None
    busy_ratio: float | None
    celsius: float | None
    watts: float | None

    def accelerator(self, accelerator_id: str, driver: str | None) -> Accelerator:
        """Return the facts."""
        return Accelerator(
            id=accelerator_id,
            kind="gpu",
            vendor="nvidia",
            name=self.name,
            driver=driver,
            driver_version=self.driver_version,
            architecture=self.architecture,
            memory_bytes=self.memory_bytes,
            is_integrated=self.is_integrated,
        )

    def readings(self, accelerator_id: str) -> AcceleratorReadings:
        """Return what the GPU does."""
        return AcceleratorReadings(
            id=accelerator_id,
            busy_ratio=self.busy_ratio,
            memory_used_bytes=self.memory_used_bytes,
            celsius=self.celsius,
            watts=self.watts,
        )


def query(tree: Tree) -> tuple[Row, ...]:
    """Ask `nvidia-smi`, or read what it said on the machine of a fixture. What went wrong becomes a note."""
    if str(tree.root) != "/":
        return parse_rows(tree.read_text(CAPTURED))
    output = ask()
    rows = parse_rows(output)
    if not rows:
        tree.notes.add(explain(output))
    return rows


def ask() -> str:
    """Return what `nvidia-smi` says. It waits as long as the tool does: the parent has the clock."""
    output = _run(COLUMNS)
    return _run(COLUMNS[:-1]) if "not a valid field" in output else output


def parse_rows(text: str) -> tuple[Row, ...]:
    """Return the GPUs in the output of `--query-gpu` with `COLUMNS`, or with those that a header names.

    What a GPU does not have reads `[N/A]` or `[Not Supported]`; sizes are in MiB, with the unit or without.
    Source: the manual page of nvidia-smi, section "--query-gpu".
    """
    names: tuple[str, ...] = COLUMNS
    rows: list[Row] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if "name" in cells:
            names = tuple(re.sub(r" \[.*", "", cell) for cell in cells)
        elif len(cells) in (len(names), len(names) - 1):
            row = _row(dict(zip(names, cells, strict=False)))
            if row is not None:
                rows.append(row)
    return tuple(rows)


def explain(output: str) -> str:
    """Return what the operator is to know where `nvidia-smi` told of no GPU."""
    said = printable(output, max_characters=160)
    if "mismatch" in output:
        return f"nvidia-smi: the driver was updated, but the old one is still running; restart the machine ({said})"
    return f"nvidia-smi told of no GPU: {said}" if said else "nvidia-smi told of no GPU"


def _row(cells: dict[str, str]) -> Row | None:
    name, bus_id = printable(cells.get("name", "")), _BUS_ID.fullmatch(cells.get("pci.bus_id", ""))
    version = cells.get("driver_version", "")
    # A driver's message has commas, too: only a line with numbers in their places is a GPU.
    if not name or not (bus_id or cells.get("pci.bus_id", "[").startswith(("[", "N/A"))):
        return None
    total_mib, used_mib = _number(cells, "memory.total"), _number(cells, "memory.used")
    busy_percent = _number(cells, "utilization.gpu")
    capability = cells.get("compute_cap", "")
    return Row(
        address=f"{int(bus_id[1], 16):04x}:{bus_id[2].lower()}" if bus_id else None,
        name=name,
        driver_version=version if re.fullmatch(r"[\d.]+", version) else None,
        architecture=f"sm_{capability.replace('.', '')}" if re.fullmatch(r"\d{1,2}\.\d", capability) else None,
        memory_bytes=None if total_mib is None else int(total_mib * 2**20),
        is_integrated=_is_integrated(cells.get("memory.total", "")),
        memory_used_bytes=None if used_mib is None else int(used_mib * 2**20),
        busy_ratio=None if busy_percent is None else min(busy_percent, 100) / 100,
        celsius=_number(cells, "temperature.gpu"),
        watts=_number(cells, "power.draw"),
    )


def _is_integrated(total: str) -> bool | None:
    """Return whether the GPU has no memory of its own: then the driver has no size to tell (Jetson, GB10)."""
    if _NUMBER.match(total):
        return False
    return True if total in ("[N/A]", "N/A", "[Not Supported]") else None


def _number(cells: dict[str, str], name: str) -> float | None:
    number = _NUMBER.match(cells.get(name, ""))
    return float(number[0]) if number else None


def _run(columns: tuple[str, ...]) -> str:
    """Return the tool's output, or its complaint."""
    command = ["nvidia-smi", f"--query-gpu={','.join(columns)}", "--format=csv,noheader,nounits"]
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        return "it is not installed; install the utilities that belong to the driver (package nvidia-utils)"
    except OSError as error:
        return f"it cannot be started: {error.strerror}"
    with process:
        assert process.stdout is not None
        output = process.stdout.read(_MAX_OUTPUT_BYTES)
        process.kill()  # ended, or it writes without end
    return output.decode(errors="replace")
