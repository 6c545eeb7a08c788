"""Starts the child that makes a model ready, and puts what it made in its place."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from appliance.backends.tvm.folders import settle
from appliance.backends.tvm.record import chosen_bits
from appliance.core.kernels import MatrixTile
from appliance.errors import BackendError


def make(
    source: Path,
    folder: Path,
    instruction_set: str,
    progress: Callable[[float], None],
    tiles: Sequence[MatrixTile] = (),
) -> None:
    """Make `folder`, all of it or nothing. Raises: BackendError, with the child's own reason."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        order = [str(source), str(unfinished), instruction_set, msgspec.json.encode(tiles).decode()]
        order.append(str(chosen_bits(folder.parent)))
        _run(["-m", "appliance.backends.tvm.child", *order], progress)
        settle(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _run(arguments: list[str], progress: Callable[[float], None]) -> None:
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            # A process that runs a model has told the library to do without its compiler; its child must not.
            ["env", "-u", "TVM_USE_RUNTIME_LIB", sys.executable, "-P", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        assert child.stdout is not None
        with child.stdout:
            for line in child.stdout:
                progress(float(line))
        if child.wait() == 0:
            return
        errors.seek(0)
        lines = errors.read().decode(errors="replace").strip().splitlines()
    reason = lines[-1] if lines else f"the compiler ended with {child.returncode}"
    raise BackendError(f"our kernels could not be compiled for this model: {reason}")
