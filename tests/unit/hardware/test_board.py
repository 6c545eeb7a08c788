"""Boards: by device tree, by the firmware's tables, or by what is left of them inside a container."""

from pathlib import Path

import pytest

from appliance.core.hardware import Board
from appliance.hardware.board import probe_board
from tests.unit.hardware.trees import tree_of


@pytest.mark.parametrize(
    ("model", "compatible", "family"),
    [
        ("Raspberry Pi 5 Model B Rev 1.0\0", "raspberrypi,5-model-b\0brcm,bcm2712\0", "raspberry_pi"),
        ("NVIDIA Jetson Orin Nano Developer Kit\0", "nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0", "jetson"),
        ("NVIDIA Orin NX Developer Kit\0", "nvidia,p3767-0000\0nvidia,tegra234\0", "jetson"),
        ("NVIDIA Orin Nano Developer Kit\n", "nvidia,p3768-0000\nnvidia,tegra234\n", "jetson"),
        ("NVIDIA Orin Nano Developer Kit\n", "nvidia,p3768-0000 nvidia,tegra234\n", "jetson"),
        ("Radxa ROCK 5B\0", "radxa,rock-5b\0rockchip,rk3588\0", "other"),
    ],
)
def test_a_device_tree_names_the_board(tmp_path: Path, model: str, compatible: str, family: str) -> None:
    base = "/sys/firmware/devicetree/base"
    tree = tree_of(tmp_path, {f"{base}/model": model, f"{base}/compatible": compatible}, {"/proc/device-tree": base})
    board = probe_board(tree, None)
    assert board is not None
    assert (board.family, board.model) == (family, model.rstrip("\0\n"))


def test_a_container_on_a_pi_knows_it_from_cpuinfo(tmp_path: Path) -> None:
    board = probe_board(tree_of(tmp_path, {}), "Raspberry Pi 4 Model B Rev 1.4")
    assert board == Board(family="raspberry_pi", model="Raspberry Pi 4 Model B Rev 1.4")


def test_a_computer_is_named_by_its_firmware(tmp_path: Path) -> None:
    dmi = "/sys/class/dmi/id"
    files = {f"{dmi}/board_vendor": "ASUSTeK COMPUTER INC.\n", f"{dmi}/board_name": "ProArt X670E-CREATOR WIFI\n"}
    assert probe_board(tree_of(tmp_path, files), None) == Board(
        family="other", model="ASUSTeK COMPUTER INC. ProArt X670E-CREATOR WIFI"
    )


def test_what_the_maker_left_blank_is_not_taken_for_a_name(tmp_path: Path) -> None:
    dmi = "/sys/class/dmi/id"
    files = {
        f"{dmi}/board_vendor": "To be filled by O.E.M.\n",
        f"{dmi}/board_name": "Default string\n",
        f"{dmi}/product_name": "NUC12\n",
    }
    assert probe_board(tree_of(tmp_path, files), None) == Board(family="other", model="NUC12")
    assert probe_board(tree_of(tmp_path / "none", {}), None) is None
