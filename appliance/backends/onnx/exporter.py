"""Runs the exporters of the conversion environment as programs and makes progress of what they print."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from appliance.child import Progress
from appliance.errors import ApplianceError

_DECODER_PROGRAM = Path(__file__).with_name("decoder_export.py")
_ENCODER_PROGRAM = Path(__file__).with_name("encoder_export.py")
_PERCENT = re.compile(r"(\d{1,3})%\|")
_READING = re.compile(r"Reading (layer \d+|embedding layer|final norm|LM head)")
# The exporter must not ask the network for anything: all it needs is in the folder.
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def export_decoder(python: Path, source: Path, folder: Path, cache: Path, progress: Progress) -> None:
    """Write `source` as a float ONNX model for processors into `folder`. Raises: ApplianceError."""
    _run([str(python), "-P", str(_DECODER_PROGRAM), str(source), str(folder), str(cache)], cache, progress)


def export_encoder(python: Path, source: Path, folder: Path, cache: Path, progress: Progress) -> None:
    """Write an encoder, up to the states of its tokens, as `model.onnx` into `folder`. Raises: ApplianceError."""
    folder.mkdir(parents=True, exist_ok=True)
    _run([str(python), "-P", str(_ENCODER_PROGRAM), str(source), str(folder / "model.onnx")], cache, progress)


def _run(command: list[str], cache: Path, progress: Progress) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    variables = [f"{name}={value}" for name, value in {**_OFFLINE, "HF_HOME": str(cache)}.items()]
    last = ""
    with subprocess.Popen(
        ["env", *variables, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        assert child.stdout is not None
        for line in _lines(child.stdout):
            last = line
            step, percent = _READING.search(line), _PERCENT.search(line)
            if step:
                progress(f"exporting: {step.group(1)}", 0.0, None, "ratio")
            elif percent:
                progress(line.split(":")[0].split(" (")[0], int(percent.group(1)) / 100, 1.0, "ratio")
    if child.returncode < 0:
        raise ApplianceError(f"the exporter was ended by signal {-child.returncode}, perhaps for want of memory")
    if child.returncode > 0:
        raise ApplianceError(f"the exporter failed: {last or f'exit {child.returncode}'}")


def _lines(stream: IO[bytes]) -> Iterator[str]:
    """Yield lines of text, those of progress bars, too, which end with a carriage return."""
    rest = b""
    while piece := os.read(stream.fileno(), 65536):
        *lines, rest = (rest + piece).replace(b"\r", b"\n").split(b"\n")
        yield from (text for line in lines if (text := line.decode(errors="replace").strip()))
    if text := rest.decode(errors="replace").strip():
        yield text
