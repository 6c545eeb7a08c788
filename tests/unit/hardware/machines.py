"""The machines of `tests/data/hardware`, each laid out once in a session as a folder that stands for `/`."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from appliance.hardware.fixture import unpack

FIXTURES = Path(__file__).parents[2] / "data" / "hardware"
NAMES = tuple(sorted(path.stem for path in FIXTURES.glob("*.txt")))


@functools.cache
def tree_of(name: str) -> Path:
    """Return the root of a machine. It is shared: no test writes in it."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    unpack((FIXTURES / f"{name}.txt").read_text(encoding="utf-8"), folder)
    return folder
