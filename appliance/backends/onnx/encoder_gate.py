"""The quality gate of encoders: the vectors of the original and of the copy for the same texts."""

from pathlib import Path
from typing import Any

import numpy as np

from appliance.backends.held_out import sentences
from appliance.backends.onnx.session import open_session
from appliance.backends.onnx.texts import open_tokenizer
from appliance.backends.quality import FloatArray, encoder_quality
from appliance.errors import InvalidRequest
from models.formats.folder_config import config_folder
from models.manifest import ModelQuality

_MAX_TOKENS = 256
_VECTOR, _STATES = 2, 3  # ranks of outputs


class TextInputs:
    """Turns a text into the inputs of an encoder, by the names that exporters use."""

    def __init__(self, graph: Path) -> None:
        self._tokenizer = open_tokenizer(config_folder(graph))

    def of(self, text: str) -> dict[str, Any]:
        """Return `(1, num_tokens)` arrays of 64-bit integers."""
        ids = np.array([self._tokenizer.encode(text).ids[:_MAX_TOKENS]], np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


class EncoderGate:
    """Holds the original's vectors, to compare those of copies with."""

    def __init__(self, original: Path, num_threads: int) -> None:
        self._num_threads = num_threads
        inputs = TextInputs(original)
        self._inputs = [inputs.of(text) for text in sentences()]
        self._reference = self._vectors(original)

    def compare(self, copy: Path) -> ModelQuality:
        """Return what the copy lost. Raises: BackendError."""
        return encoder_quality(self._reference, self._vectors(copy))

    def _vectors(self, graph: Path) -> FloatArray:
        session = open_session(graph, graph.resolve().parent, self._num_threads)
        output = _vector_output(session)
        declared = {value.name for value in session.get_inputs()}
        vectors = []
        for inputs in self._inputs:
            given = {name: value for name, value in inputs.items() if name in declared}
            (values,) = session.run([output], given)
            vector = values[0] if values.ndim == _VECTOR else values[0].mean(0)
            vectors.append(vector / max(float(np.linalg.norm(vector)), 1e-12))
        return np.asarray(vectors, np.float32)


def _vector_output(session: Any) -> str:
    """Return the output that holds a vector for each text, else the states of its tokens."""
    outputs = {value.name: len(value.shape) for value in session.get_outputs()}
    if "logits" in outputs:
        raise InvalidRequest("a model that classifies or ranks cannot be compared yet; encoders of vectors can")
    for rank in (_VECTOR, _STATES):
        for name, found in outputs.items():
            if found == rank and name != "pooler_output":
                return str(name)
    raise InvalidRequest(f"none of the outputs {', '.join(outputs)} is a vector or the states of tokens")
