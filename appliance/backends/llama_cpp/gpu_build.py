"""Which GPUs the installed llama.cpp has code for, seen from its files. Never imports the library."""

import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

LABELS = {"cuda": "CUDA", "hip": "ROCm", "metal": "Metal", "vulkan": "Vulkan", "sycl": "SYCL", "musa": "MUSA"}
"""What ggml calls its libraries for GPUs, and what people do. Source: ggml/src/CMakeLists.txt of llama.cpp."""
# The library looks for GPUs as soon as it is imported. Sources: the drivers' own guides; the Vulkan loader's
# LoaderDriverInterface.md for VK_LOADER_DRIVERS_DISABLE.
_HIDING = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "HIP_VISIBLE_DEVICES": "-1",
    "GGML_VK_VISIBLE_DEVICES": "",
    "VK_LOADER_DRIVERS_DISABLE": "*",
}


def hide_gpus(say: Callable[[str, str], None] = os.putenv) -> None:
    """Keep the library away from all GPUs, if it is not imported yet: a broken driver would end a process without need.

    Where it has no code for any, nothing changes.
    """
    if gpu_libraries():
        for name, value in _HIDING.items():
            say(name, value)


@cache
def gpu_libraries() -> tuple[str, ...]:
    """Return the names of those that are installed, none for a build for the processor alone."""
    spec = find_spec("llama_cpp")
    folders = spec.submodule_search_locations if spec is not None else None
    return libraries_in(Path(folders[0]) / "lib") if folders else ()


def libraries_in(folder: Path) -> tuple[str, ...]:
    """Return the names of the libraries for GPUs in a folder."""
    return tuple(name for name in LABELS if any(folder.glob(f"*ggml-{name}.*")))
