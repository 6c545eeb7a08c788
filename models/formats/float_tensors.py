"""Turn the bytes of float tensors, as safetensors and GGUF name their types, into float32."""

import numpy as np
import numpy.typing as npt

FLOAT_TYPES = ("BF16", "F16", "F32", "F64")


def as_float32(data: npt.NDArray[np.uint8], dtype: str) -> npt.NDArray[np.float32]:
    """Return the numbers in little-endian `data` as one row. Raises: ValueError, for a type that is no float."""
    if dtype == "BF16":  # the upper half of a float32
        return (data.view("<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
    if dtype not in FLOAT_TYPES:
        raise ValueError(f"cannot read tensor type {dtype!r} as numbers; one of {', '.join(FLOAT_TYPES)} is needed")
    return data.view(f"<f{int(dtype[1:]) // 8}").astype(np.float32)
