"""The operating system, and the container or virtual machine around it."""

import re

from appliance.core.hardware import System
from appliance.hardware.board import read_compatible, read_dmi
from appliance.hardware.files import Notes, Tree, printable

_OS_RELEASES = ("/etc/os-release", "/usr/lib/os-release")
_PRETTY_NAME = re.compile(r"^PRETTY_NAME=[\"']?([^\"'\n]+)", re.MULTILINE)

# Files that only a container of this kind has, the most telling first.
_CONTAINER_FILES = (
    ("/run/secrets/kubernetes.io", "kubernetes"),
    ("/var/run/secrets/kubernetes.io", "kubernetes"),
    ("/run/.containerenv", "podman"),
    ("/.dockerenv", "docker"),
    ("/dev/.lxc-boot-id", "lxc"),
)
_CONTAINER_GROUPS = (
    (re.compile(r"/kubepods"), "kubernetes"),
    (re.compile(r"/libpod-"), "podman"),
    (re.compile(r"/docker[-/][0-9a-f]{12}"), "docker"),
    (re.compile(r"/lxc[./]"), "lxc"),
)
_CONTAINER_VARIABLE = re.compile(r"(?:^|\0)container=([a-z0-9-]+)")

# Words of the firmware's tables, in the order in which they are tried.
_MACHINES = (
    ("vmware", "vmware"),
    ("virtualbox", "virtualbox"),
    ("innotek", "virtualbox"),
    ("microsoft corporation virtual machine", "hyper-v"),
    ("parallels", "parallels"),
    ("bhyve", "bhyve"),
    ("apple virtualization", "apple"),
    (" xen ", "xen"),
    ("kvm", "kvm"),
    ("google compute engine", "kvm"),
    ("amazon ec2", "kvm"),
    ("openstack", "kvm"),
)
_CLOCKS = (("kvm-clock", "kvm"), ("hyperv_clocksource", "hyper-v"), ("xen", "xen"))
_CLOCK_SOURCES = "/sys/devices/system/clocksource/clocksource0/available_clocksource"


def probe_system(tree: Tree, features: frozenset[str]) -> System:
    """Return the system and what it runs inside of. `features` are the processor's."""
    kernel = tree.read_line("/proc/sys/kernel/osrelease")
    return System(
        name=_name(tree),
        kernel=kernel,
        container=_container(tree),
        virtual_machine=_virtual_machine(tree, kernel or "", "hypervisor" in features),
    )


def _name(tree: Tree) -> str | None:
    matches = (_PRETTY_NAME.search(tree.read_text(path)) for path in _OS_RELEASES)
    return next((printable(match[1]) for match in matches if match), None) or None


def _container(tree: Tree) -> str | None:
    for path, name in _CONTAINER_FILES:
        if tree.exists(path):
            return name
    told = tree.read_line("/run/systemd/container")
    if told is not None:
        return told
    groups = tree.read_text("/proc/self/cgroup")
    for pattern, name in _CONTAINER_GROUPS:
        if pattern.search(groups):
            return name
    variable = _CONTAINER_VARIABLE.search(_first_process(tree))
    return variable[1] if variable else None


def _first_process(tree: Tree) -> str:
    """Return the environment of process 1: another user's, which is not ours to read, is no failure."""
    return Tree(tree.root, Notes()).read_text("/proc/1/environ")


def _virtual_machine(tree: Tree, kernel: str, is_flagged: bool) -> str | None:
    """Return the name of the hypervisor, `unknown` where only the processor says that there is one."""
    if "microsoft" in kernel.lower():
        return "wsl"
    if "control_d" in tree.read_text("/proc/xen/capabilities"):
        return None  # the host of the others
    hypervisor = tree.read_line("/sys/hypervisor/type") or _from_device_tree(tree)
    if hypervisor is not None:
        return hypervisor
    return _from_firmware(tree, is_flagged)


def _from_firmware(tree: Tree, is_flagged: bool) -> str | None:
    strings = (read_dmi(tree, name) for name in ("sys_vendor", "product_name", "board_vendor"))
    words = f" {' '.join(filter(None, strings))} ".lower()
    if ".metal" in words:
        return None  # a whole machine of a provider that otherwise rents out virtual ones
    found = next((name for word, name in _MACHINES if word in words), None)
    is_qemu = "qemu" in words
    if found is None and (is_flagged or is_qemu):
        clocks = tree.read_text(_CLOCK_SOURCES)
        return next((name for clock, name in _CLOCKS if clock in clocks), "qemu" if is_qemu else "unknown")
    return found


def _from_device_tree(tree: Tree) -> str | None:
    names = read_compatible(tree, "/hypervisor")
    return next((name for name in ("kvm", "xen") if any(name in like for like in names)), None)
