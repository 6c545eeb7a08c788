"""The types that llama.cpp quantizes a GGUF file to. No native import.

Source: llama.h, enum llama_ftype; llama-quant.cpp for which of them need an importance matrix.
"""

SOURCE_TYPES = ("F32", "F16", "BF16")
"""What is made from and, where it is smaller, made to."""

QUANTIZED_TYPES = (
    "Q8_0",
    "Q6_K",
    "Q5_K_M",
    "Q5_K_S",
    "Q5_1",
    "Q5_0",
    "Q4_K_M",
    "Q4_K_S",
    "Q4_1",
    "Q4_0",
    "IQ4_NL",
    "IQ4_XS",
    "Q3_K_L",
    "Q3_K_M",
    "Q3_K_S",
    "IQ3_M",
    "IQ3_S",
    "Q2_K",
)
"""Those that need nothing but the weights, about the largest first."""

NEED_IMPORTANCE = ("Q2_K_S", "IQ3_XS", "IQ3_XXS", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S")
"""Those that are no use without an importance matrix, which the library takes and does not compute."""

# Bits of a weight, at most: what a mixture makes of a small model, of which the table of tokens is a large part.
_MOST_BITS = {"F32": 32.0, "F16": 16.0, "BF16": 16.0, "Q8_0": 8.6, "Q6_K": 7.0, "Q5": 6.5, "Q4": 5.8, "IQ4": 5.6}
_FEWER_BITS = 5.0


def types_named(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the types that an order names, each once; `all` stands for all. Raises: ValueError."""
    found: list[str] = []
    for name in names:
        upper = name.upper()
        if upper in NEED_IMPORTANCE:
            raise ValueError(
                f"{upper} needs an importance matrix, which the library that is installed here takes and cannot "
                "compute; the smallest without one is Q2_K"
            )
        if upper != "ALL" and upper not in (*QUANTIZED_TYPES, *SOURCE_TYPES):
            raise ValueError(
                f"GGUF has no type {name!r} to quantize to; there are {', '.join(QUANTIZED_TYPES)}, and all"
            )
        found += QUANTIZED_TYPES if upper == "ALL" else (upper,)
    return tuple(dict.fromkeys(found))


def most_bytes(name: str, num_parameters: int) -> int:
    """Return what a model of the type takes at most."""
    bits = next((_MOST_BITS[key] for key in (name, name.split("_")[0]) if key in _MOST_BITS), _FEWER_BITS)
    return int(num_parameters * bits / 8)
