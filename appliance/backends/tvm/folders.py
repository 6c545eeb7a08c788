"""Where lies what is made of a model once for a processor: its weights repacked, its step compiled.

    <digest>/<instruction set>-<tvm>-<kernels>/   weights.bin   step.so (not where this machine has no linker)

A folder is complete or not there: it is made beside its place and then renamed. Imports no array library.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

import kernels
from appliance.backends.tvm.limits import PINS
from models.files import sync_file, sync_folder

WEIGHTS_FILE, LIBRARY_FILE = "weights.bin", "step.so"


def folder_in(compiled: Path, instruction_set: str) -> Path:
    """Return where a model's files for our kernels, as they are now, and this processor are."""
    return compiled / f"{instruction_set}-{PINS['apache-tvm']}-{kernels_digest()}"


def is_made(folder: Path) -> bool:
    """Return whether the model need not be made ready again."""
    return (folder / WEIGHTS_FILE).exists()


def settle(unfinished: Path, folder: Path) -> None:
    """Give a finished folder its name, unless another process was first and made the same. Raises: OSError.

    Weights that a power cut tore would be wrong without a word, so they are synced.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for path in unfinished.iterdir():
        sync_file(path)
    sync_folder(unfinished)
    try:
        unfinished.rename(folder)
    except OSError:
        if not is_made(folder):
            raise
    sync_folder(folder.parent)


@lru_cache(maxsize=1)
def kernels_digest() -> str:
    """Return a name for our kernels as they are written: what was compiled from others is made anew."""
    folder = Path(kernels.__file__).parent
    content = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()[:12]
