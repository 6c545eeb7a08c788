"""Examines and prepares ONNX models in a child process: the library that reads a graph never enters the daemon."""

import subprocess
import sys
from pathlib import Path

import msgspec

from models.errors import StoreError, file_errors
from models.formats.folder_config import config_folder
from models.formats.onnx_file import OnnxError, check_onnx
from models.formats.refusal import RefusedFormat, check_content
from models.formats.speech_config import is_speech
from models.formats.speech_graphs import choose_speech_graphs
from models.workshop import Examined

PROGRAM = "appliance.backends.onnx.prepare"
REFUSED = 3
"""The child's exit code when it understood the model and cannot serve it; its last line says why."""
_TIMEOUT_S = 300.0  # a graph that holds its weights itself is read and written whole


class OnnxWorkshop:
    """The store's workshop for models in ONNX."""

    def __init__(self, timeout_s: float = _TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    def examine(self, graph: Path) -> Examined:
        """Return what the model is. Raises: StoreError, naming everything that serving it lacks."""
        for each in _together(graph):
            _check(each)
        return msgspec.json.decode(self._run("examine", str(graph)), type=Examined)

    def prepare(self, graph: Path, folder: Path) -> None:
        """Prepare the graph into `folder`. Raises: StoreError."""
        self._run("prepare", str(graph), str(folder))

    def _run(self, *arguments: str) -> bytes:
        command = [sys.executable, "-P", "-m", PROGRAM, *arguments]
        what = f"{arguments[1]} could not be read"
        try:
            child = subprocess.run(
                command, capture_output=True, stdin=subprocess.DEVNULL, timeout=self._timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            raise StoreError(f"{what}: it took longer than {self._timeout_s:.0f} s") from None
        except OSError as error:
            raise StoreError(f"{what}: the program that reads it could not be started: {error.strerror}") from None
        lines = child.stderr.decode(errors="replace").strip().splitlines() or [""]
        if child.returncode == REFUSED:
            raise StoreError(lines[-1])
        if child.returncode < 0:
            raise StoreError(f"{what}: its reader was ended by signal {-child.returncode}, perhaps for want of memory")
        if child.returncode != 0:
            raise StoreError(f"{what}: {lines[-1] or f'exit {child.returncode}'}")
        return child.stdout


def _together(graph: Path) -> list[Path]:
    """Return the graphs that one model consists of: of speech, those beside the one that is opened."""
    if not is_speech(config_folder(graph)):
        return [graph]
    graphs = choose_speech_graphs([path.name for path in graph.parent.glob("*.onnx")], graph.name)
    return [graph] if graphs is None else [graph.parent / name for name in graphs.names]


def _check(graph: Path) -> None:
    """Walk over the graph before any library reads it. Raises: StoreError."""
    with file_errors(graph):
        try:
            check_content(graph)
            check_onnx(graph)
        except RefusedFormat as refusal:
            raise StoreError(str(refusal)) from None
        except OnnxError as error:
            raise StoreError(f"{graph} is no usable ONNX file: {error}") from None
