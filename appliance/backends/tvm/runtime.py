"""The part of TVM that runs a compiled model: loaded, told of its threads, handed arrays.

The library reads its environment when it is loaded. So that is set here, once, and nobody else imports it in a worker.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Step: TypeAlias = Callable[..., Any]


class Steps(Protocol):
    """The steps of a compiled decoder, by name."""

    def __getitem__(self, name: str) -> Step:
        """Return one of them."""

    def set_instrument(self, instrument: Any) -> None:
        """Have this called before and after every kernel; None: nothing."""


class Brake:
    """Ends a step under way at its next kernel. A step on which it is not pulled pays nothing for it."""

    def __init__(self, steps: Steps) -> None:
        import tvm_ffi

        self._steps = steps
        self._lock = threading.Lock()  # the library counts who holds the function, and two at once would miscount
        self._stopped = stopped = threading.Event()

        def stop(*_call: Any) -> None:
            stopped.set()
            raise RuntimeError("the step was ended")

        self._stop = tvm_ffi.convert(stop)

    @property
    def has_stopped(self) -> bool:
        """Whether it ended a step since it was released."""
        return self._stopped.is_set()

    def pull(self) -> None:
        """End the step. Any thread: the library reads the pointer that this sets before each kernel."""
        with self._lock:
            self._steps.set_instrument(self._stop)

    def release(self) -> None:
        """Let the next step run."""
        with self._lock:
            self._steps.set_instrument(None)
        self._stopped.clear()


_ALIGNMENT_BYTES = 64
_BIG_CORES_FIRST = 1  # Source: tvm, src/runtime/threading_backend.h, `AffinityMode`
_ENVIRONMENT = {
    "TVM_THREAD_POOL_SPIN_COUNT": "2000",  # a millisecond; the default keeps a core busy for a tenth of a second
    "TVM_BIND_THREADS": "0",  # two models bound to the same cores would leave the others idle
}


def set_up(num_threads: int, *, with_compiler: bool) -> None:
    """Choose the threads, and the light runtime where nothing has to be compiled. Before anything else here."""
    for name, value in {**_ENVIRONMENT, "TVM_NUM_THREADS": str(num_threads)}.items():
        os.environ.setdefault(name, value)
    if not with_compiler:
        os.environ.setdefault("TVM_USE_RUNTIME_LIB", "1")


def open_library(library: Path) -> Steps:
    """Return the steps of a compiled decoder."""
    import tvm
    from tvm.runtime.vm import VirtualMachine

    steps: Steps = VirtualMachine(tvm.runtime.load_module(str(library)), tvm.cpu())
    return steps


def set_threads(num_threads: int) -> None:
    """Let the kernels run on so many threads from now on, at most as many as `set_up` was told."""
    import tvm

    tvm.get_global_func("runtime.config_threadpool")(_BIG_CORES_FIRST, num_threads)


def shared(array: npt.NDArray[Any]) -> Any:
    """Return an aligned array as the runtime takes it: the same memory."""
    import tvm_ffi

    return tvm_ffi.from_dlpack(array)


def copied(array: npt.NDArray[Any]) -> Any:
    """Return an array as the runtime takes it: for a few numbers, whose memory need not be aligned."""
    import tvm

    return tvm.runtime.tensor(array)


def listed(tensors: list[Any]) -> Any:
    """Return tensors as one argument."""
    import tvm_ffi

    return tvm_ffi.Array(tensors)


def aligned_zeros(shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    """Return zeros that begin where vector instructions want them to."""
    size_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    content = np.zeros(size_bytes + _ALIGNMENT_BYTES, np.uint8)
    start = -content.ctypes.data % _ALIGNMENT_BYTES
    return content[start : start + size_bytes].view(dtype).reshape(shape)
