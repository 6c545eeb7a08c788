"""What the jobs `convert` and `quantize` are told, and what they answer. Importing this costs the daemon nothing."""

from typing import Literal

import msgspec

QuantizedPrecision = Literal["int8", "int4"]
Precision = Literal["fp32", QuantizedPrecision]
Method = Literal["weights", "dynamic", "static"]

DEFAULT_MAX_LOSS_RATIO = 0.05
BLOCK_SIZES = (16, 32, 64, 128, 256)


class ConvertArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A folder as Hugging Face keeps models, and what is to be made of it.

    `max_loss_ratio` and `accept_loss` count where weights are quantized; `force` starts although memory or disk
    looks too small.
    """

    model: str
    name: str | None = None
    precision: Precision = "int4"
    block_size: int = 32
    is_symmetric: bool = False
    accept_loss: bool = False
    max_loss_ratio: float = DEFAULT_MAX_LOSS_RATIO
    force: bool = False

    def __post_init__(self) -> None:
        check_quantization(self.block_size, self.max_loss_ratio)


class QuantizeArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model with float weights, by its name or its folder, and how to quantize it.

    `mixed` keeps some layers at 8 bits: the first and the last with the output, or those that measurably lose most.
    `calibration` is the path of a file with texts, one a line. The rest is as for `ConvertArguments`.
    """

    model: str
    name: str | None = None
    precision: QuantizedPrecision = "int4"
    method: Method = "weights"
    block_size: int = 32
    is_symmetric: bool = False
    mixed: Literal["outer", "measured"] | None = None
    calibration: str | None = None
    accept_loss: bool = False
    max_loss_ratio: float = DEFAULT_MAX_LOSS_RATIO
    force: bool = False

    def __post_init__(self) -> None:
        check_quantization(self.block_size, self.max_loss_ratio)
        if self.method != "weights" and (self.precision != "int8" or self.mixed):
            raise ValueError(f"the method {self.method!r} makes int8 of all layers; int4 and mixed need 'weights'")
        if self.mixed and self.precision != "int4":
            raise ValueError("mixed keeps some layers of an int4 model at 8 bits; ask for int4")
        if (self.calibration is None) == (self.method == "static"):
            raise ValueError("the method 'static', and it alone, needs texts like those to come: --calibration FILE")


def check_quantization(block_size: int, max_loss_ratio: float) -> None:
    """Raise ValueError unless the kernels know such blocks and the threshold is one."""
    if block_size not in BLOCK_SIZES:
        raise ValueError(f"blocks have {', '.join(map(str, BLOCK_SIZES))} values, not {block_size}")
    check_loss_ratio(max_loss_ratio)


def check_loss_ratio(max_loss_ratio: float) -> None:
    """Raise ValueError unless the threshold is one."""
    if not 0 <= max_loss_ratio <= 10:
        raise ValueError(f"the loss that is accepted is a ratio such as 0.05, not {max_loss_ratio}")
