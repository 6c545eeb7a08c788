"""What the jobs `convert`, `quantize` and `evaluate` are told, whatever the format. Importing this is cheap.

Each format knows words that the other does not; an order that mixes them is refused before it becomes a job.
"""

from typing import Any, Literal, TypeVar

import msgspec

from appliance.backends.llama_cpp.types import QUANTIZED_TYPES, SOURCE_TYPES, types_named
from appliance.backends.onnx import job_arguments as onnx

DEFAULT_MAX_LOSS_RATIO = onnx.DEFAULT_MAX_LOSS_RATIO
_ONNX_PRECISIONS: tuple[onnx.Precision, ...] = ("int4", "int8", "fp32")
_ONNX_QUANTIZED: tuple[onnx.QuantizedPrecision, ...] = ("int4", "int8")
_ONNX_WORDS = ("method", "block_size", "is_symmetric", "mixed", "calibration")

P = TypeVar("P", bound=str)


class ConvertArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A folder as Hugging Face keeps models, and what is to be made of it: a whole path, or the name of such a model.

    Without `to`, the precision says which format is meant. Without `precision`, an ONNX model is int4 and a GGUF file
    has the folder's own floats. `max_loss_ratio` and `accept_loss` count where weights are quantized; `force` starts
    although memory or disk looks too small.
    """

    model: str
    name: str | None = None
    to: Literal["onnx", "gguf"] | None = None
    precision: str | None = None
    block_size: int | None = None
    is_symmetric: bool | None = None
    accept_loss: bool = False
    max_loss_ratio: float = DEFAULT_MAX_LOSS_RATIO
    force: bool = False

    def __post_init__(self) -> None:
        if self.is_gguf:
            _refuse(_said(self, "block_size", "is_symmetric"))
            onnx.check_loss_ratio(self.max_loss_ratio)
            if self.precision is not None and self.precision.upper() not in (*SOURCE_TYPES, *QUANTIZED_TYPES):
                known = ", ".join((*SOURCE_TYPES, *QUANTIZED_TYPES))
                raise ValueError(f"a GGUF file is of one of the types {known}, not {self.precision!r}")
            return
        self.as_onnx()

    @property
    def is_gguf(self) -> bool:
        """Return whether a GGUF file is to be made."""
        if self.to is not None:
            return self.to == "gguf"
        return self.precision is not None and self.precision.lower() not in _ONNX_PRECISIONS

    def as_onnx(self) -> onnx.ConvertArguments:
        """Return the order for an ONNX model. Raises: ValueError, where it is none."""
        return onnx.ConvertArguments(
            model=self.model,
            name=self.name,
            precision=_onnx_precision(self.precision or "int4", _ONNX_PRECISIONS),
            accept_loss=self.accept_loss,
            max_loss_ratio=self.max_loss_ratio,
            force=self.force,
            **_said(self, "block_size", "is_symmetric"),
        )


class QuantizeArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model with float weights, by its name or its path, and what to quantize it to: `to` is one type or several.

    Types of GGUF (or `all` of them) and those of ONNX (int4, int8) do not mix; none means int4 or Q4_K_M, by the model.
    `method`, `block_size`, `is_symmetric`, `mixed` and `calibration` are for ONNX, as its own arguments explain them.
    `texts` is the path of a file with texts to judge GGUF types by, in place of ours: see `held_out`. `force` also
    allows a GGUF file that is quantized already.
    """

    model: str
    name: str | None = None
    to: tuple[str, ...] = ()
    method: onnx.Method | None = None
    block_size: int | None = None
    is_symmetric: bool | None = None
    mixed: Literal["outer", "measured"] | None = None
    calibration: str | None = None
    texts: str | None = None
    accept_loss: bool = False
    max_loss_ratio: float = DEFAULT_MAX_LOSS_RATIO
    force: bool = False

    def __post_init__(self) -> None:
        if any(each.lower() not in _ONNX_PRECISIONS for each in self.to):
            self.gguf_types()
        else:
            self.as_onnx()

    def gguf_types(self) -> tuple[str, ...]:
        """Return the types of an order for GGUF. Raises: ValueError, where it is none."""
        _refuse(_said(self, *_ONNX_WORDS))
        onnx.check_loss_ratio(self.max_loss_ratio)
        return types_named(self.to or ("Q4_K_M",))

    def as_onnx(self) -> onnx.QuantizeArguments:
        """Return the order for an ONNX model. Raises: ValueError, where it is none."""
        if self.texts is not None:
            raise ValueError("an ONNX model is judged by our own texts; texts is for GGUF")
        if len(self.to) > 1:
            raise ValueError("an ONNX model is quantized to one type at a time: int4 or int8")
        return onnx.QuantizeArguments(
            model=self.model,
            name=self.name,
            precision=_onnx_precision(self.to[0] if self.to else "int4", _ONNX_QUANTIZED),
            accept_loss=self.accept_loss,
            max_loss_ratio=self.max_loss_ratio,
            force=self.force,
            **_said(self, *_ONNX_WORDS),
        )


class EvaluateArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A GGUF model, by its name or its path, and the types to measure; none of them is kept. The rest is as above."""

    model: str
    to: tuple[str, ...] = ("all",)
    texts: str | None = None
    max_loss_ratio: float = DEFAULT_MAX_LOSS_RATIO
    force: bool = False

    def __post_init__(self) -> None:
        types_named(self.to)
        onnx.check_loss_ratio(self.max_loss_ratio)


def _onnx_precision(precision: str, known: tuple[P, ...]) -> P:
    found = next((each for each in known if each == precision.lower()), None)
    if found is None:
        raise ValueError(f"an ONNX model is made {', '.join(known)}, not {precision!r}, which is a type of GGUF files")
    return found


def _said(order: msgspec.Struct, *words: str) -> dict[str, Any]:
    """Return those of the words that an order says; for the others ONNX's own arguments have defaults."""
    return {word: value for word in words if (value := getattr(order, word)) is not None}


def _refuse(said: dict[str, Any]) -> None:
    """Raise ValueError for words that only ONNX knows."""
    if said:
        raise ValueError(f"{', '.join(said)} is for ONNX models; a GGUF type says all of this by its name")
