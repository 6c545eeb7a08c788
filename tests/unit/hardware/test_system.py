"""The operating system, and whether it runs inside a container or a virtual machine."""

from pathlib import Path

import pytest

from appliance.hardware.system import probe_system
from tests.unit.hardware.trees import tree_of

DMI = "/sys/class/dmi/id"
FLAGGED = frozenset({"hypervisor"})


def test_the_system_and_its_kernel_are_named(tmp_path: Path) -> None:
    files = {"/usr/lib/os-release": 'ID=debian\nPRETTY_NAME="Debian 12"\n', "/proc/sys/kernel/osrelease": "6.1.0\n"}
    system = probe_system(tree_of(tmp_path, files, {"/etc/os-release": "../usr/lib/os-release"}), frozenset())
    assert (system.name, system.kernel) == ("Debian 12", "6.1.0")
    assert (system.container, system.virtual_machine) == (None, None)


@pytest.mark.parametrize(
    ("path", "text", "container"),
    [
        ("/.dockerenv", "", "docker"),
        ("/run/.containerenv", "", "podman"),
        ("/run/secrets/kubernetes.io/", "", "kubernetes"),
        ("/run/systemd/container", "systemd-nspawn\n", "systemd-nspawn"),
        ("/proc/self/cgroup", "0::/system.slice/docker-0123456789abcdef.scope\n", "docker"),
        ("/proc/self/cgroup", "0::/kubepods.slice/kubepods-pod1.slice\n", "kubernetes"),
        ("/proc/self/cgroup", "4:memory:/lxc/box\n", "lxc"),
        ("/proc/1/environ", "PATH=/bin\0container=lxc\0TERM=linux\0", "lxc"),
        ("/proc/self/cgroup", "0::/system.slice/docker.service\n", None),
        ("/proc/1/environ", "HOME=/\0mycontainer=lxc\0", None),
    ],
)
def test_a_container_is_known_by_what_it_leaves(tmp_path: Path, path: str, text: str, container: str | None) -> None:
    assert probe_system(tree_of(tmp_path, {path: text}), frozenset()).container == container


@pytest.mark.parametrize(
    ("files", "machine"),
    [
        ({}, "unknown"),
        ({f"{DMI}/sys_vendor": "VMware, Inc.\n"}, "vmware"),
        ({f"{DMI}/sys_vendor": "Microsoft Corporation\n", f"{DMI}/product_name": "Virtual Machine\n"}, "hyper-v"),
        ({f"{DMI}/sys_vendor": "QEMU\n"}, "qemu"),
        ({f"{DMI}/sys_vendor": "Amazon EC2\n", f"{DMI}/product_name": "m7i.large\n"}, "kvm"),
        ({f"{DMI}/sys_vendor": "Amazon EC2\n", f"{DMI}/product_name": "m7i.metal-24xl\n"}, None),
        ({"/sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc kvm-clock \n"}, "kvm"),
        ({"/sys/hypervisor/type": "xen\n"}, "xen"),
        ({"/sys/hypervisor/type": "xen\n", "/proc/xen/capabilities": "control_d\n"}, None),
        ({"/proc/sys/kernel/osrelease": "5.15.90.1-microsoft-standard-WSL2\n"}, "wsl"),
    ],
)
def test_a_virtual_machine_is_named(tmp_path: Path, files: dict[str, str], machine: str | None) -> None:
    assert probe_system(tree_of(tmp_path, files), FLAGGED).virtual_machine == machine


def test_a_virtual_machine_of_arm_is_known_without_a_flag(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {"/proc/device-tree/hypervisor/compatible": "linux,kvm\0"})
    assert probe_system(tree, frozenset()).virtual_machine == "kvm"


def test_a_microsoft_tablet_is_no_virtual_machine(tmp_path: Path) -> None:
    files = {f"{DMI}/sys_vendor": "Microsoft Corporation\n", f"{DMI}/product_name": "Surface Pro 8\n"}
    assert probe_system(tree_of(tmp_path, files), frozenset()).virtual_machine is None
