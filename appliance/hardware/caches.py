"""The processor's caches, each kind counted once however many processors share it."""

import re
from collections import Counter
from typing import Literal

import msgspec

from appliance.core.hardware import Cache
from appliance.hardware.files import Tree, parse_cpu_list
from appliance.hardware.topology import CPUS

_KINDS: dict[str | None, Literal["data", "instruction", "unified"]] = {
    "Data": "data",
    "Instruction": "instruction",
    "Unified": "unified",
}
_SIZE = re.compile(r"([0-9]{1,9})([KMG]?)")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


class _Kind(msgspec.Struct, frozen=True, order=True):
    level: int
    kind: Literal["data", "instruction", "unified"]
    size_bytes: int
    num_cpus_sharing: int | None


def read_caches(tree: Tree, cpus: frozenset[int]) -> tuple[Cache, ...]:
    """Return the caches of these processors, by level. Empty where the kernel does not describe them."""
    counts: Counter[_Kind] = Counter()
    seen: set[tuple[str, int]] = set()
    for cpu in sorted(cpus):
        folder = f"{CPUS}/cpu{cpu}/cache"
        for index in tree.list_dir(folder):
            if index.startswith("index") and (index, cpu) not in seen:
                sharing = cpus.intersection(parse_cpu_list(tree.read_text(f"{folder}/{index}/shared_cpu_list")))
                seen.update((index, other) for other in sharing)
                kind = _read_kind(tree, f"{folder}/{index}", len(sharing) or None)
                counts.update([kind] if kind is not None else [])
    return tuple(
        Cache(
            level=kind.level,
            kind=kind.kind,
            size_bytes=kind.size_bytes,
            num_instances=count,
            num_cpus_sharing=kind.num_cpus_sharing,
        )
        for kind, count in sorted(counts.items(), key=lambda item: (item[0].level, item[0].kind, -item[0].size_bytes))
    )


def parse_size_bytes(text: str | None) -> int | None:
    """Return the bytes of a cache's size as the kernel writes it (`1024K`); None for nothing, or zero."""
    match = _SIZE.fullmatch(text or "")
    return int(match[1]) * _UNITS[match[2]] or None if match else None


def _read_kind(tree: Tree, folder: str, num_cpus_sharing: int | None) -> _Kind | None:
    level = tree.read_int(f"{folder}/level")
    kind = _KINDS.get(tree.read_line(f"{folder}/type"))
    size_bytes = parse_size_bytes(tree.read_line(f"{folder}/size"))
    if level is None or kind is None or size_bytes is None:
        return None
    return _Kind(level, kind, size_bytes, num_cpus_sharing)
