"""Feed a reader of files bytes that coverage leads to; the program of `test_fuzz.py`, also to be run by hand.

    python -m tests.fuzz.harness TARGET FOLDER [options of libFuzzer, such as -max_total_time=60]

FOLDER holds the inputs to begin with, and those that are found. What a reader may raise is its own error; everything
else, five seconds for one input, or half a gigabyte is a finding, which ends the program with its input kept.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["models"]):
    from models.catalogue.catalogue import CatalogueError, parse_catalogue
    from models.catalogue.signatures import PublicKey, SignatureProblem, verify
    from models.formats.encoder_config import read_encoder_config
    from models.formats.folder_config import named_graph, read_chat_template, read_folder_config
    from models.formats.gguf import GGUFError, read_gguf
    from models.formats.onnx_file import OnnxError, check_onnx
    from models.formats.refusal import RefusedFormat, check_content
    from models.formats.safetensors import SafetensorsError, read_safetensors
    from models.formats.summary import summarize_gguf


class NoError(Exception):
    """What a reader raises that may raise nothing."""


_OPTIONS = ("-timeout=5", "-rss_limit_mb=700", "-max_len=20000", "-print_final_stats=1")


def _gguf(path: Path) -> None:
    summarize_gguf(read_gguf(path, read_arrays=True))
    summarize_gguf(read_gguf(path))


def _signature(path: Path) -> None:
    keys = [PublicKey(bytes(8), bytes(32))]
    verify(b"data", path.read_bytes().decode(errors="replace"), keys)


def _folder(path: Path) -> None:
    """Read one input as every file of a folder: none of its readers has an error of its own."""
    folder = Path(tempfile.gettempdir()) / f"fuzz-folder-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    for name in ("config.json", "genai_config.json", "tokenizer_config.json", "modules.json"):
        (folder / name).write_bytes(path.read_bytes())
    read_folder_config(folder)
    read_encoder_config(folder)
    read_chat_template(folder)
    named_graph(folder)


TARGETS: dict[str, tuple[Callable[[Path], object], type[Exception]]] = {
    "gguf": (_gguf, GGUFError),
    "safetensors": (read_safetensors, SafetensorsError),
    "onnx": (check_onnx, OnnxError),
    "refusal": (check_content, RefusedFormat),
    "catalogue": (lambda path: parse_catalogue(path.read_bytes()), CatalogueError),
    "signature": (_signature, SignatureProblem),
    "folder": (_folder, NoError),
}


def _main(target: str, folder: str, *options: str) -> None:
    read, own_error = TARGETS[target]
    # A file in memory, without a name on a disk: the fuzzer ends the process without coming back here
    path = Path(f"/proc/self/fd/{os.memfd_create(target)}")
    descriptor = int(path.name)

    def once(data: bytes) -> None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, data, 0)
        with suppress(own_error):
            read(path)

    atheris.Setup([sys.argv[0], *_OPTIONS, *options, folder], once)
    atheris.Fuzz()


if __name__ == "__main__":
    _main(*sys.argv[1:])
