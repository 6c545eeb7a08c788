"""The child: asks every driver, and writes each answer as soon as it has it. What asks a tool comes last."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from appliance.core.hardware import Accelerator, AcceleratorReadings
from appliance.hardware.accelerators import amd, intel, npu, nvidia, soc
from appliance.hardware.accelerators.messages import Began, Found, Measured, Message, Noted
from appliance.hardware.accelerators.pci import pci_accelerators
from appliance.hardware.files import Notes, Tree

Answers = Iterator[Accelerator] | Iterator[AcceleratorReadings]
Probe = tuple[str, Callable[[], Answers]]


def _facts(tree: Tree) -> Iterator[Probe]:
    devices = tuple(pci_accelerators(tree))
    yield "AMD's driver", lambda: amd.probe(tree, devices)
    yield "Intel's driver", lambda: intel.probe(tree, devices)
    yield "an NPU's driver", lambda: npu.probe(tree, devices)
    yield "the chip's GPU", lambda: soc.probe(tree)
    yield "NVIDIA's driver", lambda: nvidia.probe(tree, devices)
    if nvidia.is_driver_running(tree):
        yield "nvidia-smi", lambda: nvidia.probe_by_tool(tree)


def _readings(tree: Tree) -> Iterator[Probe]:
    devices = tuple(pci_accelerators(tree))
    yield "AMD's driver", lambda: amd.read(tree, devices)
    yield "Intel's driver", lambda: intel.read(tree, devices)
    yield "an NPU's driver", lambda: npu.read(tree, devices)
    yield "the chip's GPU", lambda: soc.read(tree)
    if nvidia.is_driver_running(tree):
        yield "nvidia-smi", lambda: nvidia.read_by_tool(tree)


def _say(message: Message) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


def main(what: str, root: Path) -> None:
    """Write the `facts` or the `readings` of all accelerators under `root`."""
    notes = Notes()
    tree = Tree(root, notes)
    _say(Began("the list of PCI devices"))
    for name, ask in _facts(tree) if what == "facts" else _readings(tree):
        _say(Began(name))
        for answer in ask():
            _say(Found(answer) if isinstance(answer, Accelerator) else Measured(answer))
    for text in notes.as_tuple():
        _say(Noted(text))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
