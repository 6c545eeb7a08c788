"""The inputs and outputs of one call, bound by address: nothing is copied on the way in or out.

Source: ONNX Runtime's Python API, `IOBinding.bind_input` with a pointer.
"""

from collections import OrderedDict
from typing import Any

import numpy as np

from appliance.backends.base import LogitsArray, TokenArray
from appliance.backends.onnx.arena import Arena
from appliance.backends.onnx.graph_names import OUTPUT_INDICES, SEQLENS, TOTAL
from appliance.backends.onnx.layout import DecoderLayout

_CPU, _DEVICE = "cpu", 0
_MAX_KEPT = 64


class Bindings:
    """Buffers for the small inputs, and one binding of the KV cache for each range of rows that was used lately."""

    def __init__(self, session: Any, layout: DecoderLayout, arena: Arena, max_call_tokens: int, outputs: LogitsArray):
        self._session, self._layout, self._arena = session, layout, arena
        self._outputs = outputs
        self._tokens = np.zeros(max_call_tokens, np.int64)
        self._positions = np.zeros(max_call_tokens, np.int64)
        self._last_positions = np.zeros(arena.num_rows, np.int32)
        self._total = np.zeros((), np.int32)
        self._indices = np.arange(max_call_tokens, dtype=np.int64)
        self._kept: OrderedDict[tuple[int, int], Any] = OrderedDict()

    def decode(self, first: int, tokens: TokenArray, lengths: TokenArray, output_row: int) -> Any:
        """Bind one token for each row from `first` on; `lengths` are those before it. Logits go to `output_row` on."""
        num_rows = len(tokens)
        self._tokens[:num_rows] = tokens
        self._positions[:num_rows] = self._last_positions[:num_rows] = lengths
        self._total[()] = lengths.max() + 1
        return self._bind(first, (num_rows, 1), 0, 1, output_row)

    def prefill(self, row: int, tokens: TokenArray, start: int, num_outputs: int, output_row: int) -> Any:
        """Bind the tokens of one row; the logits of the last `num_outputs` go to `output_row` on.

        At least one row is computed: a graph without any is more than the library is tested for.
        """
        num_tokens = len(tokens)
        self._tokens[:num_tokens] = tokens
        self._positions[:num_tokens] = np.arange(start, start + num_tokens)
        self._last_positions[0] = start + num_tokens - 1
        self._total[()] = start + num_tokens
        num_outputs = max(num_outputs, 1)
        return self._bind(row, (1, num_tokens), num_tokens - num_outputs, num_outputs, output_row)

    def close(self) -> None:
        """Let go of everything that points into the cache."""
        self._kept.clear()

    def _bind(self, row: int, shape: tuple[int, int], first_output: int, num_outputs: int, output_row: int) -> Any:
        binding = self._of_rows(row, shape[0])
        self._input(binding, "input_ids", np.int64, shape, self._tokens)
        if self._layout.has_position_ids:
            self._input(binding, "position_ids", np.int64, shape, self._positions)
        self._input(binding, SEQLENS, np.int32, (shape[0],), self._last_positions)
        self._input(binding, TOTAL, np.int32, (), self._total)
        self._input(binding, OUTPUT_INDICES, np.int64, (num_outputs,), self._indices[first_output:])
        out_shape = (shape[0], num_outputs, self._layout.vocab_size)
        address = self._outputs[output_row:].ctypes.data
        binding.bind_output("logits", _CPU, _DEVICE, np.float32, out_shape, address)
        return binding

    def _of_rows(self, first: int, num_rows: int) -> Any:
        key = (first, num_rows)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        binding, kind = self._session.io_binding(), self._arena.dtype.type
        for layer, keys, values in zip(
            self._layout.layers, self._arena.caches[::2], self._arena.caches[1::2], strict=True
        ):
            for name_in, name_out, cache in (
                (layer.past_key, layer.present_key, keys),
                (layer.past_value, layer.present_value, values),
            ):
                rows = cache[first : first + num_rows]
                binding.bind_input(name_in, _CPU, _DEVICE, kind, rows.shape, rows.ctypes.data)
                binding.bind_output(name_out, _CPU, _DEVICE, kind, rows.shape, rows.ctypes.data)
        self._kept[key] = binding
        if len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)
        return binding

    @staticmethod
    def _input(binding: Any, name: str, kind: type, shape: tuple[int, ...], buffer: np.ndarray[Any, Any]) -> None:
        binding.bind_input(name, _CPU, _DEVICE, kind, shape, buffer.ctypes.data)
