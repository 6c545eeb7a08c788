"""What happens to a request, and what happens in the system: the values that walk back up and that metrics count."""

from typing import Literal

import msgspec

from .devices import LoadedDevice
from .easing import Easing
from .measurement import Measurement
from .plan import Calibration
from .request import Priority, RequestId
from .response_cache import CacheOutcome

FinishReason = Literal["stop", "length", "tool_calls"]
Outcome = Literal["stop", "length", "tool_calls", "cancelled", "error"]
ModelState = Literal["stopped", "loading", "ready", "stopping", "failed"]
JobState = Literal["queued", "running", "paused", "done", "failed", "cancelled"]


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An error as a value that can cross the link. `kind` names the class in `appliance.errors`."""

    kind: str
    message: str
    param: str | None = None
    retry_after_s: float | None = None


class TopLogprob(msgspec.Struct, frozen=True, array_like=True):
    """One candidate of a position: its text, its bytes (which need not be whole UTF-8) and its log-probability."""

    text: str
    token_bytes: bytes
    logprob: float


class TokenLogprob(msgspec.Struct, frozen=True, array_like=True):
    """The chosen token of a position with the likeliest candidates, most likely first; before penalties and masks."""

    text: str
    token_bytes: bytes
    logprob: float
    top: tuple[TopLogprob, ...]


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one choice: the prompt's, those of it found in the cache, and the generated ones.

    Of those, `reasoning_tokens` were thought and not said; `accepted_draft_tokens` were guessed and confirmed, and
    `rejected_draft_tokens` guessed in vain.
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int = 0
    accepted_draft_tokens: int = 0
    rejected_draft_tokens: int = 0


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time of one choice went, as its worker knows: until it had its place, prefill, from the first token on.

    The daemon's queue is part of `queue_s`.
    """

    queue_s: float
    prefill_s: float
    decode_s: float


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag="accepted"):
    """The prompt was tokenized and has its place; `cached_tokens` of it need no computation."""

    id: RequestId
    num_prompt_tokens: int
    cached_tokens: int


class PromptEcho(msgspec.Struct, frozen=True, kw_only=True, tag="prompt_echo"):
    """The text of a prompt whose request echoes it. `logprobs`, if asked for, hold a token each; the first has none."""

    id: RequestId
    text: str
    logprobs: tuple[TokenLogprob | None, ...] = ()


class ToolCallDelta(msgspec.Struct, frozen=True, array_like=True):
    """More of the call number `index`: `id` and `name` come once, in its first delta; the arguments in pieces."""

    index: int
    id: str | None
    name: str | None
    arguments: str


class Delta(msgspec.Struct, frozen=True, kw_only=True, tag="delta", omit_defaults=True):
    """More of one choice: what it says, what it thinks before, and the calls it makes.

    All of them can be empty while a stop string, a marker or a character is not yet decided.
    """

    id: RequestId
    choice: int
    num_tokens: int
    text: str
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    timings: Timings | None = None


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished"):
    """The end of one choice. `mean_token_probability` is the mean over the tokens for which it was taken.

    `stop_string` is the one that ended it; `sum_logprob` is over all tokens, for requests with `logprobs`; `tokens` are
    those of prompt and output, for requests that want them back.
    """

    id: RequestId
    choice: int
    reason: FinishReason
    usage: Usage
    timings: Timings
    mean_token_probability: float | None
    stop_string: str | None = None
    sum_logprob: float | None = None
    tokens: tuple[int, ...] = ()


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """The end of a whole request that could not be answered."""

    id: RequestId
    error: ErrorInfo


class Encoded(msgspec.Struct, frozen=True, kw_only=True, tag="encoded"):
    """Rows of one request that are ready, in any order: the first row in `data` belongs to input `indices[0]`.

    `data` holds rows of equal length as 32-bit floats, little-endian. A `relevance` between 0 and 1 comes from a model
    that read both texts together, a `cosine` from the embeddings of each.
    """

    id: RequestId
    kind: Literal["embedding", "relevance", "cosine"]
    indices: tuple[int, ...]
    data: bytes


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """What was said in `[start_s, end_s)` of a recording; the text begins with the space before it.

    `compression_ratio` is that of the text of its window: much above 2 it repeats itself. `no_speech_ratio` is how
    likely nobody spoke there, and `seek` where the window began, in hundredths of a second.
    """

    start_s: float
    end_s: float
    text: str
    tokens: tuple[int, ...]
    temperature: float
    mean_logprob: float
    compression_ratio: float
    no_speech_ratio: float
    seek: int


class Transcribed(msgspec.Struct, frozen=True, kw_only=True, tag="transcribed"):
    """More of a recording was heard: all of it up to `heard_s` of `duration_s`. Where nobody spoke there is no segment.

    `language` is the code of the language that is spoken.
    """

    id: RequestId
    language: str
    heard_s: float
    duration_s: float
    segments: tuple[Segment, ...]


class PromptRead(msgspec.Struct, frozen=True, kw_only=True, tag="prompt_read", omit_defaults=True):
    """The answer to a `ReadRequest`, with what it wants: the number of tokens, the text, the tokens, or these and
    `pieces`, the bytes that each of them stands for, which need not be whole UTF-8. A special token's is its name."""

    id: RequestId
    num_tokens: int = 0
    text: str = ""
    tokens: tuple[int, ...] = ()
    pieces: tuple[bytes, ...] = ()


RequestEvent = Accepted | PromptEcho | Delta | Encoded | Transcribed | Finished | Failed


class ModelStateChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A model entered `state`; `reason` says why in words (the cause of a failure, who asked)."""

    model: str
    state: ModelState
    reason: str
    memory_bytes: int | None = None


class ModelCalibrated(msgspec.Struct, frozen=True, kw_only=True):
    """A model was measured while it loaded, which need not be done again."""

    model: str
    calibration: Calibration


class ModelBenchmarked(msgspec.Struct, frozen=True, kw_only=True):
    """One way of running a model was measured while nobody else needed the machine."""

    candidate: str
    backend: str
    measurement: Measurement


class RequestQueued(msgspec.Struct, frozen=True, kw_only=True):
    """A request passed every check that needs no worker and waits for its place."""

    id: RequestId
    model: str
    caller: str
    priority: Priority


class RequestAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """A worker took the request; `queue_s` is the time since it arrived."""

    id: RequestId
    model: str
    num_prompt_tokens: int
    cached_tokens: int
    queue_s: float


class TokensEmitted(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one choice arrived; `interval_s` since the choice's last ones, or since arrival when `is_first`."""

    id: RequestId
    model: str
    num_tokens: int
    interval_s: float
    is_first: bool


class RequestPaused(msgspec.Struct, frozen=True, kw_only=True):
    """A running request leaves its places to others for a while or, with `is_paused` False, goes on."""

    id: RequestId
    model: str
    is_paused: bool


class RequestEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A request is over, with what it cost. Token counts are sums over its choices, the prompt counted once.

    `timings` are the worker's for the choice that read the prompt, None when that one did not come to its end;
    `decode_tokens_per_s` is the speed at which it wrote all tokens but the first, None where it wrote no more.
    """

    id: RequestId
    model: str
    caller: str
    outcome: Outcome
    duration_s: float
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    accepted_draft_tokens: int = 0
    rejected_draft_tokens: int = 0
    timings: Timings | None = None
    decode_tokens_per_s: float | None = None
    mean_token_probability: float | None = None
    error: str | None = None


class ModelMeasured(msgspec.Struct, frozen=True, kw_only=True):
    """A worker told its state; `num_preemptions` counts from the worker's start.

    `kv_used_tokens` are those of prefixes that wait for a next request, too.
    """

    model: str
    kv_used_tokens: int
    kv_capacity_tokens: int
    num_preemptions: int


class MemoryRanShort(msgspec.Struct, frozen=True, kw_only=True):
    """A model's device ran out of memory; `measure` says in words what was given up so that it could go on."""

    model: str
    measure: str


class ModelPlaced(msgspec.Struct, frozen=True, kw_only=True):
    """A model was loaded on a device. Where that is not what was planned, `placed` says the problem: an alarm."""

    model: str
    planned: str
    placed: LoadedDevice


class MachineEased(msgspec.Struct, frozen=True, kw_only=True):
    """The machine works less hard than it could, because of heat or its battery, or with full force again."""

    easing: Easing


class AnswerLookedUp(msgspec.Struct, frozen=True, kw_only=True):
    """The response cache was asked; a hit saved so many tokens, and the time that they took when they were computed."""

    model: str
    outcome: CacheOutcome
    saved_tokens: int
    saved_s: float


class RequestNormalized(msgspec.Struct, frozen=True, kw_only=True):
    """Something was done about a habit of the client that sent a request."""

    normalizer: str


class JobStateChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A job entered `state`. `previous` None: it is new, or was found at the start. `duration_s`: of one that ran."""

    id: str
    kind: str
    state: JobState
    previous: JobState | None
    duration_s: float | None = None


class JobProgressed(msgspec.Struct, frozen=True, kw_only=True):
    """A job got further; told a few times a second at most."""

    id: str
    kind: str
    text: str
    done: float
    total: float | None
    unit: str
    num_failed: int = 0


SystemEvent = (
    ModelStateChanged
    | ModelCalibrated
    | ModelBenchmarked
    | ModelMeasured
    | RequestQueued
    | RequestAccepted
    | RequestPaused
    | TokensEmitted
    | RequestEnded
    | MemoryRanShort
    | ModelPlaced
    | MachineEased
    | AnswerLookedUp
    | RequestNormalized
    | JobStateChanged
    | JobProgressed
)
