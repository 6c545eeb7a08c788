"""What the daemon and a worker say to each other. A frame holds a list of these, in msgpack."""

import msgspec

from .events import Accepted, Delta, Encoded, ErrorInfo, Failed, Finished, PromptEcho, PromptRead, Transcribed
from .plan import Artefact, Calibration, LoadPlan
from .request import ReadRequest, Request, RequestId
from .traits import ModelTask, ModelTraits


class Load(msgspec.Struct, frozen=True, kw_only=True, tag="load"):
    """The first message to a worker: the one model it will ever run."""

    plan: LoadPlan


class OpenVocabulary(msgspec.Struct, frozen=True, kw_only=True, tag="open_vocabulary"):
    """The first message to a process that reads prompts of one model without its weights."""

    artefact: Artefact
    task: ModelTask


class Start(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    """Begin a request, all of its choices. `waited_s` is how long it had waited in the daemon.

    Within its class, a request of lower `rank` goes first. `caller` and `weight` say whose share of the steps it uses.
    """

    request: Request
    waited_s: float
    rank: float = 0.0
    caller: str = ""
    weight: float = 1.0


class Cancel(msgspec.Struct, frozen=True, kw_only=True, tag="cancel"):
    """Forget a request, running or waiting. No event about it follows."""

    id: RequestId


class Pause(msgspec.Struct, frozen=True, kw_only=True, tag="pause"):
    """Let go of a running request's places at the next token; what was computed is kept for its return."""

    id: RequestId


class Resume(msgspec.Struct, frozen=True, kw_only=True, tag="resume"):
    """Go on with a paused request where it stopped."""

    id: RequestId


class Budget(msgspec.Struct, frozen=True, kw_only=True, tag="budget"):
    """What of its threads, and of the sequences of a step, the worker uses from now on; what runs is not sent back."""

    work_ratio: float


class ForgetAdapter(msgspec.Struct, frozen=True, kw_only=True, tag="forget_adapter"):
    """Take an adapter out of memory once no request that began with it goes on."""

    digest: str


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag="stop"):
    """End the process. What still runs is lost: the daemon waits for it before it says so."""


class Loading(msgspec.Struct, frozen=True, kw_only=True, tag="loading"):
    """Progress of a load, 0 to 1."""

    ratio: float


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The model answers. `memory_bytes` is the worker's resident memory, measured; `calibration` is what is new."""

    traits: ModelTraits
    memory_bytes: int
    calibration: Calibration | None = None


class LoadFailed(msgspec.Struct, frozen=True, kw_only=True, tag="load_failed"):
    """The model could not be loaded, in a way that the worker survived to explain."""

    error: ErrorInfo


class Stats(msgspec.Struct, frozen=True, kw_only=True, tag="stats"):
    """The worker's state, about once a second while it works and once when it falls idle.

    `snapshot_*_bytes` are what prefixes take beside the KV cache; `num_drafted` and `num_accepted` count guessed tokens
    since the worker started, and those of them that came true.
    """

    num_running: int
    num_waiting: int
    kv_used_tokens: int
    kv_retained_tokens: int
    num_preemptions: int
    num_steps: int
    tokens_per_s: float
    memory_bytes: int
    snapshot_memory_bytes: int = 0
    snapshot_disk_bytes: int = 0
    num_drafted: int = 0
    num_accepted: int = 0


class MemoryPressure(msgspec.Struct, frozen=True, kw_only=True, tag="memory_pressure"):
    """The device ran out of memory. `measure` says in words what the worker gave up to go on.

    None: nothing was left to give up, and the worker ends; a smaller context may still fit.
    """

    measure: str | None


ToWorker = Load | OpenVocabulary | Start | ReadRequest | Cancel | Pause | Resume | Budget | ForgetAdapter | Stop
FromWorker = (
    Loading
    | Ready
    | LoadFailed
    | Accepted
    | PromptEcho
    | PromptRead
    | Delta
    | Encoded
    | Transcribed
    | Finished
    | Failed
    | Stats
    | MemoryPressure
)
