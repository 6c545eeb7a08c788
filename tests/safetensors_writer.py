"""Write safetensors files, with no library: what tests read is written by other code than reads it elsewhere."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FLOATS = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}


def write_safetensors(path: Path, tensors: Mapping[str, npt.NDArray[np.float32]], dtype: str) -> Path:
    """Write the tensors, all of one type."""
    contents = {name: _encoded(array, dtype) for name, array in tensors.items()}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, array in tensors.items():
        begin, end = end, end + len(contents[name])
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begin, end]}
    encoded = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + b"".join(contents.values()))
    return path


def _encoded(array: npt.NDArray[np.float32], dtype: str) -> bytes:
    if dtype == "BF16":
        return (np.ascontiguousarray(array, np.float32).view("<u4") >> 16).astype("<u2").tobytes()
    return array.astype(FLOATS[dtype]).tobytes()
