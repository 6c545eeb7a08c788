"""The lists of names that distributions install, cut down to the accelerators that are here, for a capture."""

from itertools import groupby

from appliance.hardware.accelerators.amd import NAMES, parse_amdgpu_ids, read_revision
from appliance.hardware.accelerators.pci import PciDevice, names_path, parse_pci_ids, pci_accelerators, read_names
from appliance.hardware.files import Tree


def excerpts(tree: Tree) -> dict[str, str]:
    """Return the text of each list by its path, in the list's own form; none where no accelerator is named."""
    devices = sorted(pci_accelerators(tree), key=lambda device: (device.vendor_id, device.device_id))
    path = names_path(tree) if devices else None
    texts = {} if path is None else {path: _pci_ids(read_names(tree, path), devices)}
    if any(device.vendor == "amd" for device in devices):
        texts[NAMES] = _amdgpu_ids(tree, devices)
    return {path: text for path, text in texts.items() if text}


def _pci_ids(text: str, devices: list[PciDevice]) -> str:
    lines: list[str] = []
    for vendor_id, group in groupby(devices, key=lambda device: device.vendor_id):
        ids = dict.fromkeys(device.device_id for device in group)
        named = [(one, name) for one in ids if (name := parse_pci_ids(text, vendor_id, one))]
        lines += [f"{vendor_id:04x}  (shortened)\n"] if named else []
        lines += [f"\t{device_id:04x}  {name}\n" for device_id, name in named]
    return "".join(lines)


def _amdgpu_ids(tree: Tree, devices: list[PciDevice]) -> str:
    text = tree.read_text(NAMES)
    lines: dict[str, None] = {}
    for device in devices:
        revision = read_revision(tree, device) if device.vendor == "amd" else None
        name = None if revision is None else parse_amdgpu_ids(text, device.device_id, revision)
        if name:
            lines[f"{device.device_id:X},\t{revision:X},\t{name}\n"] = None
    return "".join(lines)
