"""Figures of libllama that both sides need: the daemon to estimate memory, the worker to load. No native import."""

DISTRIBUTION = "llama-cpp-python"

MAX_STEP_OUTPUTS = 64
"""Rows of logits of one step: all 512 of a step would take 311 MB with a vocabulary of 152k."""

MAX_ADAPTERS_PER_STEP = 8
"""The library takes any number as one set; each makes every step slower."""

CELL_MULTIPLE_TOKENS = 256
"""The library rounds its KV cache up to a multiple of this. Source: llama-context.cpp, GGML_PAD(n_ctx, 256)."""

_BYTES_OF_32_VALUES = {"f16": 64, "f32": 128, "q8_0": 34}


def cell_bytes(num_values: int, kv_type: str) -> int:
    """Return the bytes of so many values in a KV cache of that type."""
    return num_values * _BYTES_OF_32_VALUES[kv_type] // 32


def num_output_rows(num_sequences: int) -> int:
    """Return the rows of logits to reserve: the library insists on one for each sequence."""
    return max(MAX_STEP_OUTPUTS, num_sequences)
