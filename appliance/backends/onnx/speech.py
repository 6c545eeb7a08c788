"""Whisper in ONNX behind the seam: an encoder that hears a window, and a decoder that remembers what it has read.

Graphs are those of optimum's exporter: one decoder for both uses, or one for the first tokens and one for all later
ones. What a graph was given and returned stays in the library's own memory; nothing of it is copied but logits.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as native

from appliance.backends.base import FeatureArray, Reading, SpeechTokens, TokenArray
from appliance.backends.onnx.graph import NotServable, move_weights, read_graph
from appliance.backends.onnx.session import library_error, open_session, return_freed_memory
from appliance.backends.onnx.speech_features import FRAME_S, LogMel
from appliance.backends.onnx.speech_traits import speech_tokens, speech_traits
from appliance.core.plan import LoadPlan
from appliance.errors import BackendError
from models.formats.folder_config import config_folder
from models.formats.speech_config import SpeechConfig, SpeechConfigError, read_speech_config
from models.formats.speech_graphs import choose_speech_graphs

_PAST, _PRESENT = "past_key_values", "present"
_FRAMES_PER_POSITION = 2
_KINDS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True, slots=True)
class _Memory:
    """What the decoder keeps by input name, of the text so far and of the window; `sound` is what the encoder made."""

    sound: Any
    text: Mapping[str, Any]
    window: Mapping[str, Any]


class OnnxListener:
    """The sessions of one model."""

    def __init__(self, plan: LoadPlan, progress: Callable[[float], None]) -> None:
        """Load the graphs that belong to the one that the plan names. Raises: BackendError."""
        opened = Path(plan.artefact.path)
        config = _read_config(config_folder(opened))
        graphs = choose_speech_graphs([path.name for path in sorted(opened.parent.glob("*.onnx"))], opened.name)
        if graphs is None:
            raise BackendError(f"{opened.parent} lacks the encoder or the decoder of a Whisper model")
        self._encoder = _open(opened.parent / graphs.encoder, plan.threads_prefill)
        progress(0.5)
        self._first = _open(opened.parent / graphs.decoder, plan.threads_decode)
        self._later = _open(opened.parent / graphs.later, plan.threads_decode) if graphs.later else self._first
        self._config = config
        self._past_names = [each.name for each in self._later.get_inputs() if each.name.startswith(_PAST)]
        if not self._past_names:
            raise BackendError(f"{opened} remembers nothing of what it has read; take a decoder with past keys")
        self._inputs = {id(each): {i.name: i.type for i in each.get_inputs()} for each in (self._first, self._later)}
        self.tokens: SpeechTokens = speech_tokens(config)
        self.window_frames = _FRAMES_PER_POSITION * config.max_audio_positions
        self.frame_s = FRAME_S
        self.traits = speech_traits(plan, config)
        progress(1.0)

    def features(self) -> LogMel:
        """Return an empty recording."""
        return LogMel(self._config.num_mel_bins, self.window_frames)

    def listen(self, window: FeatureArray) -> object:
        """Return the encoder's states of a window."""
        name = self._encoder.get_inputs()[0]
        feeds = {name.name: _value(window[None].astype(_KINDS[name.type], copy=False))}
        return _run(self._encoder, [self._encoder.get_outputs()[0].name], feeds)[0]

    def read(self, heard: object, tokens: TokenArray) -> Reading:
        """Read the first tokens; keys and values of the window are computed here, once."""
        given = self._inputs[id(self._first)]
        feeds = {"input_ids": _value(tokens[None].astype(np.int64)), "encoder_hidden_states": heard}
        feeds |= {name: self._nothing(given[name]) for name in self._past_names if name in given}
        if "use_cache_branch" in given:
            feeds["use_cache_branch"] = _value(np.zeros(1, np.bool_))
        presents = [_present(name) for name in self._past_names]
        logits, *values = _run(self._first, ["logits", *presents], feeds)
        kept = dict(zip(self._past_names, values, strict=True))
        text = {name: value for name, value in kept.items() if ".decoder." in name}
        window = {name: value for name, value in kept.items() if ".decoder." not in name}
        return Reading(_rows(logits), _Memory(heard, text, window))

    def follow(self, reading: Reading, token: int) -> Reading:
        """Read one more token."""
        memory = reading.state
        assert isinstance(memory, _Memory), "a reading of this model"
        given = self._inputs[id(self._later)]
        feeds = {"input_ids": _value(np.array([[token]], np.int64)), **memory.text, **memory.window}
        if "encoder_hidden_states" in given:
            feeds["encoder_hidden_states"] = memory.sound
        if "use_cache_branch" in given:
            feeds["use_cache_branch"] = _value(np.ones(1, np.bool_))
        names = list(memory.text)
        logits, *values = _run(self._later, ["logits", *map(_present, names)], feeds)
        return Reading(_rows(logits), _Memory(memory.sound, dict(zip(names, values, strict=True)), memory.window))

    def close(self) -> None:
        """Free the sessions."""
        del self._encoder, self._first, self._later
        return_freed_memory()

    def _nothing(self, kind: str) -> Any:
        shape = (1, self._config.num_heads, 0, self._config.head_width)
        return _value(np.zeros(shape, _KINDS[kind]))


def _read_config(folder: Path) -> SpeechConfig:
    try:
        return read_speech_config(folder)
    except SpeechConfigError as error:
        raise BackendError(str(error)) from None


def _open(graph: Path, num_threads: int) -> Any:
    """Return a session; weights in other files are mapped from where they really lie. Raises: BackendError."""
    try:
        model = read_graph(graph)
        weights = move_weights(model, lambda location: (graph.parent / location).resolve(strict=True))
    except NotServable as error:
        raise BackendError(f"{graph} cannot be served: {error}") from None
    except OSError as error:
        raise BackendError(f"the weights of {graph} are incomplete: {error.filename} is missing") from None
    if weights is None:
        return open_session(graph, None, num_threads)
    with tempfile.NamedTemporaryFile(suffix=graph.suffix) as pointed:
        pointed.write(model.SerializeToString())
        pointed.flush()
        return open_session(Path(pointed.name), weights, num_threads)


def _run(session: Any, outputs: list[str], feeds: Mapping[str, Any]) -> list[Any]:
    try:
        values: list[Any] = session.run_with_ort_values(outputs, feeds)
    except Exception as error:  # the library's errors have no common class
        raise library_error("onnxruntime failed to compute speech", error) from None
    return values


def _value(values: Any) -> Any:
    return native.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(values))


def _rows(logits: Any) -> Any:
    """Return the logits of the only sequence, writable and in single precision."""
    return logits.numpy()[0].astype(np.float32)


def _present(past: str) -> str:
    return past.replace(_PAST, _PRESENT, 1)
