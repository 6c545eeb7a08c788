"""From a plan to a libllama context: its parameters, what it can do (traits), and the flag that aborts a step."""

import ctypes
from importlib.metadata import version
from typing import Any

from appliance.backends.llama_cpp import library
from appliance.backends.llama_cpp.library import native
from appliance.backends.llama_cpp.limits import (
    CELL_MULTIPLE_TOKENS,
    DISTRIBUTION,
    MAX_ADAPTERS_PER_STEP,
    MAX_STEP_OUTPUTS,
    cell_bytes,
    num_output_rows,
)
from appliance.core.plan import LoadPlan
from appliance.core.traits import ModelTraits
from appliance.errors import BackendError

_KV_TYPES = {"f32": native.GGML_TYPE_F32, "f16": native.GGML_TYPE_F16, "q8_0": native.GGML_TYPE_Q8_0}
_FLASH_ATTENTION_AUTO = -1


class AbortFlag:
    """A flag that libllama reads between graph nodes, without Python.

    A Python callback would need the interpreter lock some hundred times a step. libc's `strlen` of a one-byte buffer
    is 0 for "\\0" and 1 for "\\1": as a C function from pointer to truth it is all that is needed.
    """

    def __init__(self) -> None:
        self._buffer = ctypes.create_string_buffer(2)
        self.pointer = ctypes.cast(self._buffer, ctypes.c_void_p)
        self.callback = ctypes.cast(ctypes.CDLL(None).strlen, native.ggml_abort_callback)

    def set(self) -> None:
        """Ask for the end of the step. Any thread."""
        library.expect_failure(True)
        self._buffer[0] = b"\1"

    def clear(self) -> None:
        """Take the wish back."""
        library.expect_failure(False)
        self._buffer[0] = b"\0"


def read_traits(model: Any, plan: LoadPlan) -> ModelTraits:
    """Return what a loaded model can do under the plan. Raises: BackendError, if it is of a kind not served."""
    if native.llama_model_has_encoder(model):
        raise BackendError(
            f"{plan.artefact.path} is a model with an encoder and a decoder (translation), not served yet"
        )
    max_context_tokens = min(plan.context_tokens, plan.kv_capacity_tokens)
    # States take much memory, so there are no more of them than sequences in a step.
    num_sequences = plan.max_step_sequences if _has_states(model) else plan.max_sequences
    # The library reuses cells that lie behind a sequence's window and leaves them out of snapshots.
    has_window = 0 < native.llama_model_n_swa(model) <= max_context_tokens
    return ModelTraits(
        task="generate",
        vocab_size=native.llama_vocab_n_tokens(native.llama_model_get_vocab(model)),
        max_context_tokens=max_context_tokens,
        kv_capacity_tokens=plan.kv_capacity_tokens,
        max_sequences=min(num_sequences, native.llama_max_parallel_sequences() - 1),
        max_step_sequences=plan.max_step_sequences,
        max_step_tokens=plan.max_step_tokens,
        max_step_outputs=min(MAX_STEP_OUTPUTS, plan.max_step_tokens),
        chunk_multiple_tokens=1,
        copy_cost="shared",
        retain="slows_steps",
        can_truncate=not (_has_states(model) or has_window),
        is_batch_invariant=False,
        kv_bytes_per_token=_kv_bytes_per_token(model, plan.kv_type),
        max_adapters_per_step=MAX_ADAPTERS_PER_STEP,
    )


def open_context(model: Any, plan: LoadPlan, traits: ModelTraits, abort_flag: AbortFlag) -> Any:
    """Return a context for the plan's sequences and one more, the scratch. Raises: BackendError, OutOfDeviceMemory."""
    params = native.llama_context_default_params()
    params.n_ctx = -(-traits.kv_capacity_tokens // CELL_MULTIPLE_TOKENS) * CELL_MULTIPLE_TOKENS
    params.n_batch = params.n_ubatch = traits.max_step_tokens
    params.n_seq_max = traits.max_sequences + 1
    params.n_outputs_max = params.n_outputs_max_per_seq = num_output_rows(params.n_seq_max)
    params.n_threads, params.n_threads_batch = plan.threads_decode, plan.threads_prefill
    params.type_k = params.type_v = _KV_TYPES[plan.kv_type]
    params.flash_attn_type = _FLASH_ATTENTION_AUTO
    params.offload_kqv = plan.gpu_layers != 0
    params.kv_unified = True
    params.swa_full = True
    params.no_perf = True
    if not _has_states(model):  # a model with states computes a step in parts, which an abort would leave half done
        params.abort_callback, params.abort_callback_data = abort_flag.callback, abort_flag.pointer
    what_failed = f"llama.cpp cannot make a KV cache of {traits.kv_capacity_tokens} tokens"
    return library.new_context(model, params, what_failed)


def snapshot_layout(model: Any, plan: LoadPlan) -> str:
    """Return the name of the bytes that snapshots of this model are made of."""
    shape = f"{library.read_text(native.llama_model_desc, model)}, {native.llama_model_n_params(model)} parameters"
    return f"llama_cpp/2 {version(DISTRIBUTION)}, {shape}, {plan.kv_type}{_rope_factors(model, plan)}"


def _rope_factors(model: Any, plan: LoadPlan) -> str:
    """Return which of a model's two sets of rotary factors is used, where it has two (LongRoPE): keys depend on it.

    Source: llama-model.cpp, get_rope_factors: by the size of the context, not by the length of a prompt.
    """
    architecture = library.metadata(model, "general.architecture")
    original = library.metadata(model, f"{architecture}.rope.scaling.original_context_length")
    if original is None or not original.isdigit():
        return ""
    return ", long factors" if plan.kv_capacity_tokens > int(original) else ", short factors"


def _has_states(model: Any) -> bool:
    """Tell whether some layers keep a state for each sequence in place of keys and values."""
    return bool(native.llama_model_is_recurrent(model) or native.llama_model_is_hybrid(model))


def _kv_bytes_per_token(model: Any, kv_type: str) -> int:
    head_width: int = native.llama_model_n_embd(model) // native.llama_model_n_head(model)
    num_heads: int = native.llama_model_n_head_kv(model) * native.llama_model_n_layer(model)
    return num_heads * 2 * cell_bytes(head_width, kv_type)
