"""Runs on the board: calls compiled kernels for `emulated_kernels.py`, which writes a folder's name on each line."""

import sys
from pathlib import Path

import numpy as np
import tvm


def main() -> None:
    for line in sys.stdin:
        folder = Path(line.rstrip("\n"))
        arguments = np.load(folder / "arguments.npz")
        tensors = [tvm.runtime.tensor(arguments[name]) for name in arguments.files]
        tvm.runtime.load_module(str(folder / "kernel.so"))["kernel"](*tensors)
        np.savez(folder / "results.npz", *(tensor.numpy() for tensor in tensors))
        print(folder, flush=True)


if __name__ == "__main__":
    main()
