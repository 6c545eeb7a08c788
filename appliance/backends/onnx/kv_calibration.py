"""The child process that makes a decoder's KV cache one of 8 bits: `SOURCE NUM_THREADS FOLDER`, which holds what was
prepared from the source.

One model is in memory at a time, since who wants a small cache has little of it: what the original says of the
held-out texts waits in a file while the copy reads them. What is refused stands in the last line of standard error.
"""

import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from appliance.backends.held_out import CALIBRATION, HELD_OUT, Tokens, beginnings
from appliance.backends.onnx.graph import read_graph
from appliance.backends.onnx.kv_cache import describe_variant, write_variant
from appliance.backends.onnx.kv_graph import Scales, with_int8_cache
from appliance.backends.onnx.prepared import Prepared, open_prepared
from appliance.backends.onnx.reading import open_reader, read_cache
from appliance.backends.onnx.texts import windows
from appliance.backends.reading import compare, remember
from appliance.errors import ApplianceError, BackendError
from models.formats.folder_config import config_folder
from models.manifest import ModelQuality

_MAX_JUDGED_TOKENS = 512  # a vocabulary of 152k makes 311 MB of them in the file
_LARGEST = 127
_LEAST_VALUE = 1e-6  # of a channel that is never used


def calibrate(source: Path, num_threads: int, folder: Path) -> ModelQuality:
    """Write the variant and return what it costs. Raises: ApplianceError."""
    base = open_prepared(source, folder)
    if base is None:
        raise BackendError(f"{source} is not prepared in {folder}")
    config = config_folder(source)
    calibration, held_out = (windows(config, base.decoder.vocab_size, file) for file in (CALIBRATION, HELD_OUT))
    if not calibration or not held_out:
        raise BackendError(f"the tokenizer beside {source} makes nothing of a text")
    judged = beginnings(held_out, _MAX_JUDGED_TOKENS)
    with tempfile.TemporaryFile(dir=folder) as expected:
        scales = _read_original(base, calibration, judged, num_threads, expected)
        model = read_graph(base.graph)
        layout = with_int8_cache(model, base.decoder, scales)
        variant = write_variant(base, model.SerializeToString(), layout)
        expected.seek(0)
        quality = _measure(variant, judged, num_threads, expected)
    if not math.isfinite(quality.loss_ratio):
        raise BackendError(f"{source} with a KV cache of 8 bits gives answers that are no numbers")
    describe_variant(base, variant, quality)
    return quality


def _read_original(
    base: Prepared, calibration: Sequence[Tokens], judged: Sequence[Tokens], num_threads: int, expected: BinaryIO
) -> list[Scales]:
    """Return the scales by the largest value of each channel; logits of the judged texts go into the file."""
    model = open_reader(base, max(map(len, (*calibration, *judged))), num_threads)
    try:
        largest: list[Scales] = []
        for text in calibration:
            found = [np.abs(values).max(1) for values in read_cache(model, base.decoder, text)]
            largest = [np.maximum(*pair) for pair in zip(largest, found, strict=True)] if largest else found
        remember(model, judged, expected, lambda _: None)
    finally:
        model.close()
    return [np.asarray(np.maximum(values, _LEAST_VALUE) / _LARGEST, np.float32) for values in largest]


def _measure(variant: Prepared, judged: Sequence[Tokens], num_threads: int, expected: BinaryIO) -> ModelQuality:
    model = open_reader(variant, max(map(len, judged)), num_threads)
    try:
        return compare(model, judged, expected, lambda _: None).quality()
    finally:
        model.close()


def main() -> None:
    """Do what the arguments say."""
    source, num_threads, folder = sys.argv[1:]
    try:
        calibrate(Path(source), int(num_threads), Path(folder))
    except (ApplianceError, OSError, ValueError) as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
