"""NUMA nodes: memory with the processors nearest to it."""

from pathlib import Path

from appliance.hardware.numa import probe_numa
from tests.unit.hardware.trees import tree_of

NODES = "/sys/devices/system/node"


def test_nodes_come_by_index_with_their_processors_and_memory(tmp_path: Path) -> None:
    files = {
        f"{NODES}/node10/cpulist": "\n",
        f"{NODES}/node10/meminfo": "Node 10 MemTotal:       2048 kB\nNode 10 MemFree: 1 kB\n",
        f"{NODES}/node2/cpulist": "4-5\n",
        f"{NODES}/node3/cpulist": "\n",
        f"{NODES}/possible": "0-10\n",
    }
    nodes = probe_numa(tree_of(tmp_path, files))
    assert [(node.index, node.cpus, node.memory_bytes) for node in nodes] == [(2, (4, 5), None), (10, (), 2048 * 1024)]


def test_a_kernel_without_nodes_has_none(tmp_path: Path) -> None:
    assert probe_numa(tree_of(tmp_path, {})) == ()
