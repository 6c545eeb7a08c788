"""What integer dot products bring: one int4 matrix multiplied as integers and as floats, in turns, on one thread.

    python tests/bench/onnx_vnni.py [--size 2048] [--rows 1,2,4,8,16,64] [--repeats 3]

Integers are activations rounded to 8 bits in blocks (accuracy level 4; VNNI where the processor has it), floats the
same nodes with activations as they are (level 0). Prints microseconds, medians over turns, and their ratio: the
median of the repeats and the range.
"""

import argparse
import statistics

from appliance.backends.onnx.kernel_timing import time_paths
from appliance.backends.onnx.kernels import Timing


def measure(size: int, rows: tuple[int, ...], num_repeats: int) -> list[tuple[Timing, ...]]:
    """Return the timings of each repeat."""
    return [time_paths(size, rows) for _ in range(num_repeats)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--rows", default="1,2,4,8,16,64")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    rows = tuple(int(number) for number in arguments.rows.split(","))
    repeats = measure(arguments.size, rows, arguments.repeats)
    print(f"int4 in blocks of 32, {arguments.size} x {arguments.size}, one thread: microseconds and their ratio")
    for timings in zip(*repeats, strict=True):
        float_us = statistics.median(timing.float_s for timing in timings) * 1e6
        integer_us = statistics.median(timing.integer_s for timing in timings) * 1e6
        ratios = sorted(timing.float_s / timing.integer_s for timing in timings)
        print(
            f"{timings[0].num_rows:4} rows  floats {float_us:9.1f}  integers {integer_us:9.1f}  "
            f"ratio {statistics.median(ratios):5.2f}  ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()
