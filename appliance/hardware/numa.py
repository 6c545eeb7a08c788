"""The nodes of memory, and the processors that are nearest to each."""

import re

from appliance.core.hardware import NumaNode
from appliance.hardware.files import Tree, parse_cpu_list
from appliance.hardware.memory import parse_meminfo

_FOLDER = "/sys/devices/system/node"
_NODE = re.compile(r"node([0-9]{1,5})")


def probe_numa(tree: Tree) -> tuple[NumaNode, ...]:
    """Return the nodes that have processors or memory, by index. Empty where the kernel knows of none."""
    matches = (_NODE.fullmatch(name) for name in tree.list_dir(_FOLDER))
    indices = sorted(int(match[1]) for match in matches if match is not None)
    nodes = (_read_node(tree, index) for index in indices)
    return tuple(node for node in nodes if node.cpus or node.memory_bytes)


def _read_node(tree: Tree, index: int) -> NumaNode:
    folder = f"{_FOLDER}/node{index}"
    return NumaNode(
        index=index,
        cpus=parse_cpu_list(tree.read_text(f"{folder}/cpulist")),
        memory_bytes=parse_meminfo(tree.read_text(f"{folder}/meminfo")).get("MemTotal"),
    )
