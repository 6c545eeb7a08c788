"""The mainboard: by the device tree on small boards, by the firmware's tables on computers."""

from typing import Literal

from appliance.core.hardware import Board
from appliance.hardware.files import Tree, printable

_DEVICE_TREES = ("/proc/device-tree", "/sys/firmware/devicetree/base")
_DMI = "/sys/class/dmi/id"
# What makers leave in the tables when they fill in nothing.
_BLANKS = frozenset(
    {
        "",
        "default string",
        "none",
        "not applicable",
        "not available",
        "not specified",
        "o.e.m.",
        "to be filled by o.e.m.",
    }
)


def probe_board(tree: Tree, cpuinfo_model: str | None) -> Board | None:
    """Return the board. `cpuinfo_model` is what `/proc/cpuinfo` says, all that is left of it inside many containers."""
    model = _first_line(tree, *(f"{folder}/model" for folder in _DEVICE_TREES)) or cpuinfo_model
    if model is not None:
        return Board(family=_family(model, read_compatible(tree)), model=model)
    for vendor_file, name_file in (("board_vendor", "board_name"), ("sys_vendor", "product_name")):
        vendor, name = read_dmi(tree, vendor_file), read_dmi(tree, name_file)
        if name is not None:
            return Board(
                family="other", model=name if vendor is None or name.startswith(vendor) else f"{vendor} {name}"
            )
    return None


def read_compatible(tree: Tree, node: str = "") -> tuple[str, ...]:
    """Return what a node of the device tree says that it is like, the most precise first."""
    texts = (tree.read_text(f"{folder}{node}/compatible") for folder in _DEVICE_TREES)
    # NUL ends each of them; what was copied by hand or through a shell has lines or spaces instead.
    names = next((text for text in texts if text), "").replace("\0", " ").split()
    return tuple(kept for name in names if (kept := printable(name)))


def read_dmi(tree: Tree, name: str) -> str | None:
    """Return a string of the firmware's tables; None where it is not there or left blank."""
    text = tree.read_line(f"{_DMI}/{name}")
    return None if text is None or text.lower() in _BLANKS else text


def _first_line(tree: Tree, *paths: str) -> str | None:
    return next((line for path in paths if (line := tree.read_line(path)) is not None), None)


def _family(model: str, compatible: tuple[str, ...]) -> Literal["raspberry_pi", "jetson", "other"]:
    if model.startswith("Raspberry Pi") or any(name.startswith("raspberrypi,") for name in compatible):
        return "raspberry_pi"
    # NVIDIA calls the newer developer kits "Orin" only; their chip tells.
    is_tegra = any(name.startswith("nvidia,tegra") for name in compatible)
    return "jetson" if "jetson" in model.lower() or (is_tegra and model.startswith("NVIDIA")) else "other"
