"""The angles of rotary embedding as a table, made once for a model. NumPy only."""

import numpy as np
import numpy.typing as npt

from .quantization import FloatArray


def turns(size: int, frequencies: npt.NDArray[np.float64], num_positions: int) -> FloatArray:
    """Return `(num_positions, 2, size / 2) float32` for the angle by which each pair turns at every token."""
    assert frequencies.shape == (size // 2,)
    angles = np.arange(num_positions)[:, None] * frequencies
    return np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)
