"""What the daemon and a worker say to each other. A frame holds a list of these, in msgpack."""

import msgspec

from .events import Accepted, Delta, Encoded, ErrorInfo, Failed, Finished
from .plan import LoadPlan
from .request import Request, RequestId
from .traits import ModelTraits


class Load(msgspec.Struct, frozen=True, kw_only=True, tag="load"):
    """The first message to a worker: the one model it will ever run."""

    plan: LoadPlan


class Start(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    """Begin a request, all of its choices. `waited_s` is how long it had waited in the daemon."""

    request: Request
    waited_s: float


class Cancel(msgspec.Struct, frozen=True, kw_only=True, tag="cancel"):
    """Forget a request, running or waiting. No event about it follows."""

    id: RequestId


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag="stop"):
    """End the process. What still runs is lost: the daemon waits for it before it says so."""


class Loading(msgspec.Struct, frozen=True, kw_only=True, tag="loading"):
    """Progress of a load, 0 to 1."""

    ratio: float


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The model answers. `memory_bytes` is the worker's resident memory, measured."""

    traits: ModelTraits
    memory_bytes: int


class LoadFailed(msgspec.Struct, frozen=True, kw_only=True, tag="load_failed"):
    """The model could not be loaded, in a way that the worker survived to explain."""

    error: ErrorInfo


class Stats(msgspec.Struct, frozen=True, kw_only=True, tag="stats"):
    """The worker's state, about once a second while it works and once when it falls idle."""

    num_running: int
    num_waiting: int
    kv_used_tokens: int
    kv_retained_tokens: int
    num_preemptions: int
    num_steps: int
    tokens_per_s: float
    memory_bytes: int


ToWorker = Load | Start | Cancel | Stop
FromWorker = Loading | Ready | LoadFailed | Accepted | Delta | Encoded | Finished | Failed | Stats
