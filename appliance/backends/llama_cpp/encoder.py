"""A GGUF model that embeds or scores: a context with pooling. Each input is a call of its own.

A call of several inputs would attend over all of them together: its cost grows with the square of their sum, and the
last bits of a row would depend on what else was in the call.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from appliance.backends.base import EncoderInput, RowArray, Run
from appliance.backends.encoders import encoder_traits, normalized
from appliance.backends.llama_cpp import library
from appliance.backends.llama_cpp.library import native
from appliance.backends.llama_cpp.limits import CELL_MULTIPLE_TOKENS
from appliance.backends.llama_cpp.token_batch import TokenBatch
from appliance.core.plan import LoadPlan
from appliance.core.traits import ModelTraits
from appliance.errors import BackendError

_SEQUENCE = 0
# Rerankers made of a decoder end in a softmax over "yes" and "no". Source: llama-graph.cpp, build_pooling.
_YES_OR_NO = ("qwen3", "qwen3vl")


def pooling_of(model: Any) -> int | None:
    """Return how the model makes one vector of many, None for one that generates.

    Files of encoders that name no pooling leave it to their user; the mean is what most of them were trained with.
    """
    architecture = library.metadata(model, "general.architecture")
    named = library.metadata(model, f"{architecture}.pooling_type")
    if named is not None and int(named) > native.LLAMA_POOLING_TYPE_NONE:
        return int(named)
    is_encoder = library.metadata(model, f"{architecture}.attention.causal") == "false"
    return int(native.LLAMA_POOLING_TYPE_MEAN) if is_encoder else None


class LlamaCppEncoder:
    """A model and a context with room for one input."""

    def __init__(self, plan: LoadPlan, model: Any, pooling: int) -> None:
        """`model` is libllama's, and this object's from now on. Raises: BackendError, OutOfDeviceMemory."""
        self._model = model
        self._is_ranking = pooling == native.LLAMA_POOLING_TYPE_RANK
        self._is_yes_or_no = self._is_ranking and library.metadata(model, "general.architecture") in _YES_OR_NO
        self.traits = self._traits(plan)
        try:
            self._context = _open_context(model, plan, self.traits.max_context_tokens, pooling)
        except BackendError:
            native.llama_model_free(model)
            raise
        self._memory = native.llama_get_memory(self._context)
        self._batch = TokenBatch(self.traits.max_context_tokens, self.traits.max_context_tokens)

    def embed(self, inputs: Sequence[EncoderInput]) -> RowArray:
        """Return a row for each input; embeddings have length 1, as llama.cpp's own server gives them."""
        rows = np.array([self._row(each) for each in inputs], np.float32)
        if not self._is_ranking:
            return normalized(rows)
        return _logit_of_first(rows) if self._is_yes_or_no else rows

    def close(self) -> None:
        """Free the context, then the model."""
        native.llama_free(self._context)
        native.llama_model_free(self._model)

    def _row(self, read: EncoderInput) -> RowArray:
        num_tokens = len(read.tokens)
        if self._memory:
            native.llama_memory_clear(self._memory, False)
        self._batch.fill([Run(_SEQUENCE, 0, read.tokens, num_tokens)], num_tokens)
        status = native.llama_decode(self._context, self._batch.native)
        pointer = native.llama_get_embeddings_seq(self._context, _SEQUENCE) if status == 0 else None
        if not pointer:
            raise library.decode_failure(status, f"llama.cpp failed to embed {num_tokens} tokens")
        width = 2 if self._is_yes_or_no else self.traits.row_width
        return np.ctypeslib.as_array(pointer, (width,)).copy()

    def _traits(self, plan: LoadPlan) -> ModelTraits:
        model = self._model
        task: Literal["embed", "score"] = "score" if self._is_ranking else "embed"
        num_labels = 1 if self._is_yes_or_no else native.llama_model_n_cls_out(model)
        return encoder_traits(
            plan,
            task,
            vocab_size=native.llama_vocab_n_tokens(native.llama_model_get_vocab(model)),
            max_tokens=plan.context_tokens,
            row_width=num_labels if self._is_ranking else native.llama_model_n_embd_out(model),
        )


def _open_context(model: Any, plan: LoadPlan, max_tokens: int, pooling: int) -> Any:
    params = native.llama_context_default_params()
    params.n_ctx = -(-max_tokens // CELL_MULTIPLE_TOKENS) * CELL_MULTIPLE_TOKENS
    params.n_batch = params.n_ubatch = max_tokens  # an input that is not causal must be computed in one piece
    params.n_seq_max = 1
    params.n_threads, params.n_threads_batch = plan.threads_decode, plan.threads_prefill
    params.embeddings = True
    params.pooling_type = pooling
    params.offload_kqv = plan.gpu_layers != 0
    params.no_perf = True
    return library.new_context(model, params, f"llama.cpp cannot make a context for inputs of {max_tokens} tokens")


def _logit_of_first(rows: RowArray) -> RowArray:
    """Return the logit of the first of two probabilities."""
    smallest = np.finfo(np.float32).tiny
    yes, no = np.maximum(rows[:, :1], smallest), np.maximum(rows[:, 1:2], smallest)
    return np.asarray(np.log(yes) - np.log(no), np.float32)
