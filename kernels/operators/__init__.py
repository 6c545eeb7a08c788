"""The operators of a transformer, one to a file: TensorIR beside its NumPy reference."""

from kernels.parsing import use_faster_parsing

use_faster_parsing()
