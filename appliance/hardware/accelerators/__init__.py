"""GPUs and NPUs. Drivers are asked in a child process that has its time; the parent only looks for signs of a device.

What the child found before it hung is kept, and a note says what it hung on.
"""

from itertools import chain
from pathlib import Path

import msgspec

from appliance.core.hardware import Accelerator, AcceleratorReadings
from appliance.hardware.accelerators import npu, soc
from appliance.hardware.accelerators.messages import Began, Found, Measured, Message, Noted
from appliance.hardware.accelerators.pci import pci_accelerators
from appliance.hardware.children import run_child
from appliance.hardware.files import Notes, Tree

_MODULE = "appliance.hardware.accelerators"
# A container or Windows may lend a GPU without showing its PCI device.
_SIGNS = ("/proc/driver/nvidia/version", "/dev/dxg")


def probe_accelerators(root: Path, timeout_s: float, notes: Notes) -> tuple[Accelerator, ...]:
    """Return the accelerators of the machine, sorted by id; starts no child where nothing hints at any."""
    return ask_for_facts(root, timeout_s, notes) if has_signs(root) else ()


def read_accelerators(root: Path, timeout_s: float, notes: Notes) -> tuple[AcceleratorReadings, ...]:
    """Return what the accelerators do now, sorted by id; starts no child where nothing hints at any."""
    return ask_for_readings(root, timeout_s, notes) if has_signs(root) else ()


def has_signs(root: Path) -> bool:
    """Return whether the machine may have an accelerator. Reads only what the kernel itself keeps: asks no driver."""
    tree = Tree(root, Notes())
    listed = chain(pci_accelerators(tree), soc.probe(tree), npu.probe(tree, ()))
    return any(tree.exists(path) for path in _SIGNS) or next(listed, None) is not None


def ask_for_facts(root: Path, timeout_s: float, notes: Notes) -> tuple[Accelerator, ...]:
    """Ask the drivers what is there, whether anything hints at it or not."""
    found = {
        message.accelerator.id: message.accelerator
        for message in _ask("facts", root, timeout_s, notes)
        if isinstance(message, Found)
    }
    return tuple(found[accelerator_id] for accelerator_id in sorted(found))


def ask_for_readings(root: Path, timeout_s: float, notes: Notes) -> tuple[AcceleratorReadings, ...]:
    """Ask the drivers what is going on, whether anything hints at a device or not."""
    found: dict[str, AcceleratorReadings] = {}
    for message in _ask("readings", root, timeout_s, notes):
        if isinstance(message, Measured):
            found[message.readings.id] = message.readings
    return tuple(found[accelerator_id] for accelerator_id in sorted(found))


def _ask(what: str, root: Path, timeout_s: float, notes: Notes) -> list[Message]:
    outcome = run_child(_MODULE, [what, str(root.absolute())], timeout_s)
    messages = parse_messages(outcome.output)
    for message in messages:
        if isinstance(message, Noted):
            notes.add(message.text)
    probe = next((message.probe for message in reversed(messages) if isinstance(message, Began)), "the child process")
    if outcome.is_timeout:
        notes.add(f"{probe} did not answer within {timeout_s:g} s: what it knows about accelerators is missing")
    elif outcome.exit_code != 0:
        notes.add(f"asking {probe} about accelerators failed: {outcome.error or f'exit code {outcome.exit_code}'}")
    return messages


def parse_messages(output: str) -> list[Message]:
    """Return the messages in a child's output; a line that was cut off in the middle is none."""
    messages: list[Message] = []
    for line in output.splitlines():
        try:
            messages.append(msgspec.json.decode(line, type=Message))
        except msgspec.DecodeError:
            continue
    return messages
