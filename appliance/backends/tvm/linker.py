"""Whether this machine can make a library of what is compiled. Imports nothing of the compiler."""

import shutil

_LINKERS = ("g++", "gcc", "clang++", "clang", "c++", "cc")  # as TVM looks for them


def has_linker() -> bool:
    """Return whether a library can be made here; without one each worker compiles for itself."""
    return any(shutil.which(linker) for linker in _LINKERS)


def install_command() -> str | None:
    """Return what installs one, where the system's own way to do it is known."""
    return "apt-get install gcc" if shutil.which("apt-get") else None
