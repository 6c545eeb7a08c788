"""An encoder in ONNX behind the seam: texts of about the same length go through the graph together."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from appliance.backends.base import EncoderInput, RowArray
from appliance.backends.encoders import encoder_traits, normalized
from appliance.backends.onnx.prepared import Prepared
from appliance.backends.onnx.provider_choice import ON_PROCESSOR, Choice, placed_on
from appliance.backends.onnx.session import library_error, open_session, return_freed_memory
from appliance.core.plan import LoadPlan
from appliance.errors import BackendError
from models.formats.encoder_config import read_encoder_config
from models.formats.folder_config import read_folder_config


class OnnxEncoder:
    """A session. Which texts share a call depends on their lengths only, and how one is padded on its own length."""

    def __init__(
        self,
        plan: LoadPlan,
        prepared: Prepared,
        config_in: Path,
        progress: Callable[[float], None],
        choice: Choice = ON_PROCESSOR,
    ) -> None:
        """`config_in` is the folder with the model's configuration. Raises: BackendError."""
        progress(0.0)
        layout, config = prepared.encoder, read_encoder_config(config_in)
        if config.unsupported and not layout.is_pooled:
            raise BackendError(f"{config_in}: {', '.join(config.unsupported)}: not supported")
        self._layout, self._config = layout, config
        self._kind = np.int32 if layout.has_short_integers else np.int64
        self._session = open_session(prepared.graph, prepared.weights_folder, plan.threads_prefill, choice)
        traits = encoder_traits(
            plan,
            "score" if layout.has_labels else "embed",
            vocab_size=read_folder_config(config_in).vocab_size or 0,
            max_tokens=min(plan.context_tokens, config.max_tokens or plan.context_tokens),
            row_width=layout.width or self._measured_width(),
        )
        self.traits = replace(traits, placed=placed_on(choice, self._session.get_providers()))
        progress(1.0)

    def embed(self, inputs: Sequence[EncoderInput]) -> RowArray:
        """Return a row for each input. Raises: BackendError."""
        rows = np.empty((len(inputs), self.traits.row_width), np.float32)
        for num_tokens, indices in self._groups([len(each.tokens) for each in inputs]):
            rows[indices] = self._compute([inputs[index] for index in indices], num_tokens)
        return normalized(rows) if self._config.is_normalized and not self._layout.has_labels else rows

    def close(self) -> None:
        """Free the session."""
        del self._session
        return_freed_memory()

    def _groups(self, lengths: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
        """Yield the inputs that share a call, and the length that they are padded to.

        A graph whose rows depend on each other is given one at a time, and nothing but its own tokens.
        """
        if not self._layout.is_batch_invariant:
            yield from ((length, [index]) for index, length in enumerate(lengths))
            return
        groups: defaultdict[int, list[int]] = defaultdict(list)
        for index, length in enumerate(lengths):
            groups[self._length_of_call(length)].append(index)
        yield from groups.items()

    def _length_of_call(self, num_tokens: int) -> int:
        can_pad = "attention_mask" in self._layout.inputs
        return padded(num_tokens, self.traits.max_context_tokens) if can_pad else num_tokens

    def _compute(self, inputs: Sequence[EncoderInput], num_tokens: int) -> RowArray:
        shape = len(inputs), num_tokens
        feeds = {name: np.zeros(shape, self._kind) for name in self._layout.inputs}
        feeds["input_ids"][:] = self._config.pad_id
        for row, each in enumerate(inputs):
            length = len(each.tokens)
            given = {"input_ids": each.tokens, "attention_mask": 1, "position_ids": np.arange(length)}
            given["token_type_ids"] = 0 if each.types is None else each.types
            for name, values in feeds.items():
                values[row, :length] = given[name]
        output = self._run(feeds)
        return output if self._layout.is_pooled else self._pooled(output, inputs)

    def _pooled(self, states: RowArray, inputs: Sequence[EncoderInput]) -> RowArray:
        """Return one vector of the states of each input's own tokens, `(num_inputs, num_tokens, width)`."""
        lengths = [len(each.tokens) for each in inputs]
        if self._config.pooling == "cls":
            return states[:, 0]
        if self._config.pooling == "last":
            return states[range(len(lengths)), [length - 1 for length in lengths]]
        means = [states[row, :length].mean(0, dtype=np.float64) for row, length in enumerate(lengths)]
        return np.array(means, np.float32)

    def _measured_width(self) -> int:
        """Return the width of the output of a graph that does not say."""
        return int(self._run({name: np.ones((1, 1), self._kind) for name in self._layout.inputs}).shape[-1])

    def _run(self, feeds: dict[str, Any]) -> RowArray:
        try:
            output: RowArray = self._session.run([self._layout.output], feeds)[0]
        except Exception as error:  # the library's errors have no common class
            raise library_error("onnxruntime failed to compute an encoder", error) from None
        if len(output) != len(feeds["input_ids"]):
            raise BackendError(f"the graph returned {len(output)} rows for {len(feeds['input_ids'])} texts")
        return output


def padded(num_tokens: int, max_tokens: int) -> int:
    """Return the length that an input is computed at: a multiple of 4, from 32 on at most an eighth more."""
    step = max(4, 1 << max(0, (num_tokens - 1).bit_length() - 4))
    return min(-(-num_tokens // step) * step, max_tokens)
