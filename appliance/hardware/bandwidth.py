"""Measures how fast main memory is read: the ceiling of how fast a model generates, since each token reads all weights.

The daemon calls `measure_bandwidth`; what reads is a child of its own (this module as a program), so that neither
numpy nor a quarter of a gigabyte ever stands in the daemon.
"""

import sys
import threading
import time
from pathlib import Path

import msgspec

from appliance.core.hardware import Bandwidth
from appliance.errors import ApplianceError, DoesNotFit
from appliance.hardware.caches import read_caches
from appliance.hardware.children import run_child
from appliance.hardware.files import Notes, Tree, parse_cpu_list
from appliance.hardware.memory import memory_available_bytes

_MODULE = "appliance.hardware.bandwidth"
_TIMEOUT_S = 20.0
_READING_S = 0.5
_MIN_PASSES = 3
# At four times the cache a part of it still came from the pass before (17 % too fast, measured); at eight no more.
_CACHES_READ = 8
_LEAST_BYTES = 128 * 2**20
_MOST_BYTES = 2 * 2**30
_MOST_OF_AVAILABLE = 4
_ITEM_BYTES = 4

Span = tuple[float, float]


def measure_bandwidth(num_threads: int, root: Path = Path("/")) -> Bandwidth:
    """Read main memory with `num_threads` at once for about a second, and return the fastest of several passes.

    Raises: DoesNotFit, if too little memory is free for it; ApplianceError, if the measurement itself failed.
    """
    buffer_bytes = buffer_size(last_level_cache_bytes(root), memory_available_bytes(root))
    outcome = run_child(_MODULE, [str(num_threads), str(buffer_bytes // num_threads)], _TIMEOUT_S)
    if outcome.is_timeout:
        raise ApplianceError(f"the memory measurement did not end within {_TIMEOUT_S:.0f} s: the machine is overloaded")
    try:
        return msgspec.json.decode(outcome.output, type=Bandwidth)
    except msgspec.DecodeError:
        reason = outcome.error or f"exit code {outcome.exit_code}"
        raise ApplianceError(f"the memory measurement failed: {reason}") from None


def buffer_size(cache_bytes: int, available_bytes: int) -> int:
    """Return how much to read: enough to be memory and not cache, and no more than the machine can spare.

    Raises: DoesNotFit, if the machine cannot spare enough.
    """
    least_bytes = max(_LEAST_BYTES, 2 * cache_bytes)
    if available_bytes < _MOST_OF_AVAILABLE * least_bytes:
        raise DoesNotFit(
            f"measuring the memory needs {_MOST_OF_AVAILABLE * least_bytes / 2**20:.0f} MiB free, "
            f"{available_bytes / 2**20:.0f} MiB are; unload a model and try again"
        )
    wanted_bytes = max(least_bytes, _CACHES_READ * cache_bytes)
    return min(wanted_bytes, max(least_bytes, _MOST_BYTES), available_bytes // _MOST_OF_AVAILABLE)


def last_level_cache_bytes(root: Path) -> int:
    """Return the size of all caches of the highest level together; 0 where the kernel does not tell."""
    tree = Tree(root, Notes())
    caches = read_caches(tree, frozenset(parse_cpu_list(tree.read_text("/sys/devices/system/cpu/online"))))
    highest = max((cache.level for cache in caches), default=0)
    return sum(cache.size_bytes * cache.num_instances for cache in caches if cache.level == highest)


class _Clock:
    """Says when enough passes are done. Called once between two passes, when every thread has ended the one before."""

    def __init__(self) -> None:
        self.is_over = False
        self._num_passes = -1
        self._ends_s = 0.0

    def __call__(self) -> None:
        self._num_passes += 1
        self._ends_s = self._ends_s or time.perf_counter() + _READING_S
        self.is_over = self._num_passes >= _MIN_PASSES and time.perf_counter() >= self._ends_s


def _fastest_pass_s(num_threads: int, bytes_per_thread: int) -> float:
    """Return the seconds of the fastest pass, from the first thread's start to the last one's end."""
    import numpy as np  # only the child has it: its import costs more than a whole probe may

    clock = _Clock()
    barrier = threading.Barrier(num_threads, action=clock, timeout=_TIMEOUT_S)

    def read(spans: list[Span]) -> None:
        buffer = np.empty(bytes_per_thread // _ITEM_BYTES, np.int32)
        buffer.fill(1)  # untouched pages would all be one page of zeros, which never leaves the cache
        barrier.wait()
        while not clock.is_over:
            started_s = time.perf_counter()
            buffer.max()  # the plainest loop of numpy: one vector instruction for each load, and without its lock
            spans.append((started_s, time.perf_counter()))
            barrier.wait()

    passes: list[list[Span]] = [[] for _ in range(num_threads)]
    threads = [threading.Thread(target=read, args=(spans,), daemon=True) for spans in passes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return min(
        max(spans[index][1] for spans in passes) - min(spans[index][0] for spans in passes)
        for index in range(len(passes[0]))
    )


def _main(num_threads: int, bytes_per_thread: int) -> None:
    seconds = _fastest_pass_s(num_threads, bytes_per_thread)
    read_bytes = num_threads * (bytes_per_thread // _ITEM_BYTES) * _ITEM_BYTES
    bandwidth = Bandwidth(read_bytes_per_s=read_bytes / seconds, num_threads=num_threads)
    sys.stdout.buffer.write(msgspec.json.encode(bandwidth))


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]))
