"""The seam: what a backend promises the engine. Knows tokens, sequences and logits; nothing of requests or sampling.

A sequence is a small integer that the engine picks in `[0, max_sequences)`. The backend owns the KV memory and every
table in it; the engine owns which sequence holds which tokens. All methods of `LoadedModel` run on the thread that
created it, except `abort`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from appliance.core.plan import Artefact, LoadPlan
from appliance.core.request import InputRole, Media
from appliance.core.traits import AdapterId, ModelTraits

TokenArray = npt.NDArray[np.int32]
LogitsArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.float32]
SampleArray = npt.NDArray[np.float32]
FeatureArray = npt.NDArray[np.float32]


class KVCacheFull(Exception):
    """The step or copy does not fit now. The engine evicts or preempts, and tries again."""


class StepAborted(Exception):
    """`abort` ended the step early; no sequence changed."""


class SnapshotRejected(Exception):
    """A snapshot has another layout or is damaged. The engine computes the tokens instead."""


@dataclass(frozen=True, slots=True, eq=False)
class MediaSpan:
    """A picture, a recording or a part of one, in the place of tokens: computed whole, in one step, and never cut.

    `keys` is `(num_tokens,) int32` and stands for it wherever tokens are compared (`media_keys.py`). `content` is the
    backend's own, and alive as long as this is.
    """

    keys: TokenArray
    content: object


@dataclass(frozen=True, slots=True)
class Run:
    """New tokens of one sequence in one step: a decode, a chunk of prefill, or a draft to verify.

    `tokens` is `(num_tokens,) int32` with `num_tokens >= 1`; `start` is the position of `tokens[0]` and equals
    `length_tokens(sequence)`. Logits are returned for the last `num_outputs` tokens: 0 for an inner chunk, 1 for a
    decode, 1 + k to verify k drafted tokens. Where there is `media`, that is computed in place of tokens, which are
    then its keys; such a run may be longer than a step's tokens, among which it does not count.
    """

    sequence: int
    start: int
    tokens: TokenArray
    num_outputs: int
    media: MediaSpan | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """The runs of one step: each sequence at most once, decodes first; one set of adapters for all of them."""

    runs: tuple[Run, ...]
    adapters: tuple[tuple[AdapterId, float], ...] = ()


@dataclass(frozen=True, slots=True)
class StepOutput:
    """Per run, `(num_outputs, vocab_size) float32`: writable views, valid until the next call on the model."""

    logits: tuple[LogitsArray, ...]


@dataclass(frozen=True, slots=True)
class EncoderInput:
    """What an encoder reads at once: a text or a pair of texts, with the special tokens that belong around them.

    `tokens` is `(num_tokens,) int32`; `types`, of the same shape, says which text of a pair each token belongs to,
    None for a single text.
    """

    tokens: TokenArray
    types: TokenArray | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The KV of tokens `[start, end)` of a sequence, as owned bytes; `layout` names their format and its version.

    They are good only behind the very tokens that stood before `start`: keys and values depend on all before them.
    """

    start: int
    num_tokens: int
    layout: str
    parts: tuple[memoryview, ...]

    @property
    def end(self) -> int:
        """The position after the last token."""
        return self.start + self.num_tokens


class LoadedModel(Protocol):
    """A model in memory with its KV cache."""

    traits: ModelTraits

    def step(self, batch: Batch) -> StepOutput:
        """Append each run's tokens to its sequence and compute the logits asked for.

        All or nothing: when it raises, every sequence has the length it had before.
        Raises: KVCacheFull, StepAborted, OutOfDeviceMemory, BackendError (the worker then exits).
        """

    def copy(self, source: int, target: int, num_tokens: int) -> None:
        """Make the empty `target` begin with the first `num_tokens` of `source`. Raises: KVCacheFull."""

    def truncate(self, sequence: int, num_tokens: int) -> None:
        """Forget everything past `num_tokens`; 0 frees the handle. Only 0 where `traits.can_truncate` is False."""

    def length_tokens(self, sequence: int) -> int:
        """Return how many tokens the sequence holds."""

    def free_tokens(self) -> int:
        """Return how many more tokens fit now; tokens shared between sequences count once."""

    def snapshot(self, sequence: int, start: int, end: int) -> Snapshot:
        """Return the KV of tokens `[start, end)` of the sequence, which stays as it is.

        Only of the whole sequence, `[0, length)`, where `traits.can_truncate` is False.
        """

    def restore(self, sequence: int, snapshot: Snapshot) -> None:
        """Append a snapshot to a sequence that holds exactly the `snapshot.start` tokens before it.

        All or nothing: when it raises, the sequence has the length it had. Bytes that were on a disk must have passed
        a checksum before: another layout or length is noticed here, but not a number that changed, and a library may
        take a damaged position for a real one. Raises: KVCacheFull, SnapshotRejected.
        """

    def set_threads(self, decode: int, prefill: int) -> None:
        """Use so many threads from the next step on."""

    def abort(self) -> None:
        """Make a running step raise StepAborted soon. The only method that other threads may call; may do nothing."""

    def close(self) -> None:
        """Free the model. No other method may be called afterwards."""


@runtime_checkable
class ReadsMedia(Protocol):
    """A loaded model that reads the media which its `traits.media` name.

    One other thread than that of the steps may call this, while a step runs.
    """

    def read_medium(self, medium: Media) -> tuple[TokenArray | MediaSpan, ...]:
        """Return what stands for a medium in a prompt: its spans, and tokens that belong around and between them.

        Raises: InvalidRequest, where the bytes cannot be read.
        """

    def encode(self, span: MediaSpan) -> None:
        """Compute now what a step would otherwise compute before it can take the span. Raises: BackendError."""


@runtime_checkable
class AppliesAdapters(Protocol):
    """What a loaded model can do besides, where its `traits.max_adapters_per_step` is not 0.

    What is computed with a set of adapters is good for that set alone, keys and values as well as logits.
    """

    def load_adapter(self, path: str) -> AdapterId:
        """Read a LoRA adapter in the format of the model's own files. Raises: BackendError, and nothing has changed."""

    def unload_adapter(self, adapter: AdapterId) -> None:
        """Free an adapter. No later step may name it."""


@runtime_checkable
class LoadedEncoder(Protocol):
    """A model in memory that embeds or scores. It keeps nothing between two calls."""

    traits: ModelTraits

    def embed(self, inputs: Sequence[EncoderInput]) -> RowArray:
        """Return `(num_inputs, traits.row_width) float32`, a row for each input.

        Embeddings are pooled, and normalized where the model's own configuration says so; scores are logits. A row
        depends on its own input alone, to the last bit, whatever else is in the call. Raises: BackendError.
        """

    def close(self) -> None:
        """Free the model. No other method may be called afterwards."""


@dataclass(frozen=True, slots=True)
class SpeechTokens:
    """The special tokens of a model that turns speech into text, and what it never says.

    Timestamps follow `first_timestamp`, `timestamp_s` apart; all tokens below `end` are text. `languages` are by their
    codes, none where the model knows but one. `suppressed` are never said, `suppressed_first` not as the first.
    """

    start: int
    end: int
    previous: int
    no_speech: int
    no_timestamps: int
    first_timestamp: int
    tasks: Mapping[str, int]
    languages: Mapping[str, int]
    suppressed: TokenArray
    suppressed_first: TokenArray
    timestamp_s: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model makes of the tokens so far: logits `(num_tokens, vocab_size)` of the last ones, and its state."""

    logits: LogitsArray
    state: object


class Features(Protocol):
    """A recording as a model hears it, made piece by piece of 16,000 samples a second."""

    def add(self, samples: SampleArray) -> None:
        """Take the next samples, `(num_samples,) float32` in [-1, 1]."""

    def finish(self) -> int:
        """Take in that nothing follows, and return how many frames there are."""

    def window(self, start: int) -> FeatureArray:
        """Return the frames from `start` on that the model hears at once; after the end there is silence."""


@runtime_checkable
class LoadedListener(Protocol):
    """A model in memory that turns speech into text. What it keeps of a window lies in the values that it returns.

    It hears `window_frames` at once, each of `frame_s`.
    """

    traits: ModelTraits
    tokens: SpeechTokens
    window_frames: int
    frame_s: float

    def features(self) -> Features:
        """Return an empty recording."""

    def listen(self, window: FeatureArray) -> object:
        """Return what the model hears in a window. Raises: BackendError."""

    def read(self, heard: object, tokens: TokenArray) -> Reading:
        """Read the first tokens of a text about what was heard; all have logits. Raises: BackendError."""

    def follow(self, reading: Reading, token: int) -> Reading:
        """Read one more token; `reading` stays as it is, for others to follow. Raises: BackendError."""

    def close(self) -> None:
        """Free the model. No other method may be called afterwards."""


@dataclass(frozen=True, slots=True)
class FimIds:
    """The special tokens of fill-in-the-middle prompts."""

    prefix: int
    suffix: int
    middle: int


class Tokenizer(Protocol):
    """Text to tokens and back. Chosen by the artefact, not by the backend that runs it.

    Two threads use it at once: the one that reads prompts, and the one that takes steps.
    """

    vocab_size: int
    eos_ids: frozenset[int]
    bos_id: int | None
    fim_ids: FimIds | None
    chat_template: str | None

    def special_text(self, token: int) -> str:
        """Return how a special token is written in a template, such as `<|im_end|>`."""

    def encode(self, text: str, *, parse_special: bool, add_bos: bool) -> TokenArray:
        """Return `(num_tokens,) int32`. `add_bos` adds the token only where the vocabulary asks for one."""

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes that a token stands for; none for a control token. One token need not be whole UTF-8."""


class InputReader(Protocol):
    """Texts as an encoder reads them: what `Tokenizer` is to a model that generates."""

    vocab_size: int

    def read(self, texts: Sequence[str], role: InputRole | None) -> list[EncoderInput]:
        """Return each text as an input, after the instruction that the model's configuration has for the role."""

    def read_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[EncoderInput]:
        """Return each pair of texts as one input. Only for models that score."""


class Backend(Protocol):
    """A way to run models: the worker's side of it. Opening something imports the native library."""

    def load(self, plan: LoadPlan, progress: Callable[[float], None]) -> LoadedModel | LoadedEncoder | LoadedListener:
        """Load the plan's artefact; `progress` is told ratios in [0, 1]. Raises: BackendError."""

    def open_tokenizer(self, artefact: Artefact) -> Tokenizer:
        """Open the tokenizer that lies in the artefact, without its weights. Raises: BackendError."""

    def open_inputs(self, artefact: Artefact) -> InputReader:
        """Open the same vocabulary for a model that embeds or scores. Raises: BackendError."""
