"""The wire structs of the admin API (`/admin/v1`), shared by the daemon, the command line and the terminal UI."""

from typing import Literal

import msgspec

from .caller import Scope
from .easing import FULL, Easing
from .events import ModelState, Outcome
from .history import GpuStatus
from .request import Priority, RequestId
from .store import Beginning, Provenance


class LoadedModelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A model that has a worker, or had one and failed. Memory is measured once it is ready, estimated before.

    `choice` says why it runs on this backend. `device` and `gpu_layers` are where it is computed in fact, once it is
    ready; `device_problem` says why that is not what was planned, if so. `prefix_*_bytes` are computed prefixes beside
    the KV cache. `ttft_s`, a median, and `cached_ratio` are of the requests that ended well in the last minutes.
    """

    name: str
    state: ModelState
    reason: str
    backend: str
    device: str
    is_pinned: bool
    memory_bytes: int
    context_tokens: int
    num_running: int
    num_waiting: int
    tokens_per_s: float
    kv_used_tokens: int
    kv_capacity_tokens: int
    expires_in_s: float | None
    load_ratio: float | None = None
    choice: str = ""
    gpu_layers: int = 0
    device_problem: str | None = None
    prefix_memory_bytes: int = 0
    max_prefix_memory_bytes: int = 0
    prefix_disk_bytes: int = 0
    ttft_s: float | None = None
    cached_ratio: float | None = None


class MachineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine does now: the heat of the processor; the power of the machine, else of the processor.

    `easing` says how far models hold back because of heat or the battery. GPUs are asked while somebody looks, so that
    an unused one may sleep: the figures of one come with the second status.
    """

    cpu_busy_ratio: float
    memory_total_bytes: int
    memory_available_bytes: int
    temperature_celsius: float | None = None
    power_watts: float | None = None
    easing: Easing = FULL
    gpus: tuple[GpuStatus, ...] = ()


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """Versions of the appliance and of the libraries that run models, None where one is not installed."""

    appliance: str
    python: str
    backends: dict[str, str | None]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/status`."""

    state: Literal["serving", "draining"]
    is_ready: bool
    not_ready_reason: str | None
    url: str
    home: str
    uptime_s: float
    default_model: str
    num_running: int
    num_waiting: int
    models: tuple[LoadedModelStatus, ...]
    machine: MachineStatus
    versions: Versions


RequestState = Literal["waiting", "running", "paused", "done", "failed", "cancelled"]


class RequestStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A request that waits, runs or has ended, without anything of what it says. What is not known yet is None.

    `arrived_s` counts from the epoch. `queue_s` and `ttft_s` start at the arrival; `tokens_per_s` starts at the first
    token. `reason` says how it ended.
    """

    id: RequestId
    model: str
    caller: str
    priority: Priority
    state: RequestState
    arrived_s: float
    duration_s: float
    queue_s: float | None = None
    ttft_s: float | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int = 0
    tokens_per_s: float | None = None
    reason: Outcome | None = None
    error: str | None = None


class RecentFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that ended well within the last `window_s`. Both medians are over requests, None without any."""

    window_s: float
    num_requests: int
    median_ttft_s: float | None
    median_tokens_per_s: float | None
    cached_ratio: float | None


class Requests(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/requests`: what runs, what waits, each by arrival, then what ended, newest first."""

    requests: tuple[RequestStatus, ...]
    recent: RecentFigures


class ModelLoss(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What quantizing a model cost, measured against the original: figures of a writing model, or of an encoder."""

    num_samples: int
    loss_ratio: float
    method: str = ""
    perplexity: float | None = None
    reference_perplexity: float | None = None
    kl_mean: float | None = None
    kl_p99: float | None = None
    top1_agreement_ratio: float | None = None
    cosine_mean: float | None = None
    cosine_min: float | None = None
    ranking_agreement_ratio: float | None = None


class InstalledModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that can be used now. `context_tokens` is what a sequence gets here, as against the model's own.

    `problems` say why its files are not what was added, if so; `alias_of` is the name that this one was made of,
    `backend` what would run it now;
    `name_note` says whose name the model's own looks like.
    """

    name: str
    format: str
    digest: str
    size_bytes: int
    architecture: str | None
    num_parameters: int | None
    quantization: str | None
    trained_context_tokens: int | None
    context_tokens: int | None
    capabilities: tuple[str, ...]
    is_default: bool
    is_pinned: bool
    state: ModelState
    path: str
    estimated_bytes: int | None
    licence: str | None
    reasons: tuple[str, ...]
    added_s: float | None
    quality: ModelLoss | None = None
    choice: str | None = None
    version: int = 1
    alias_of: str | None = None
    backend: str | None = None
    problems: tuple[str, ...] = ()
    provenance: Provenance | None = None
    name_note: str | None = None


class InstalledModels(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/models`."""

    models: tuple[InstalledModel, ...]


class AddModel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of `POST /admin/v1/models`: adopt a file on the daemon's machine, in place or as a copy.

    `replace`: another model of that name gives it up and stays as a version of it. `beginning` and `provenance` are
    what another program knew of it, whose model it is. `made_of` is the digest of the model that it was made of here.
    `projector` is the file through which it reads pictures or sound, "none" for none; without a word, one beside it is.
    """

    path: str
    name: str | None = None
    copy: bool = False
    replace: bool = False
    beginning: Beginning | None = None
    provenance: Provenance | None = None
    made_of: str | None = None
    projector: str | None = None


class ModelRef(msgspec.Struct, frozen=True, kw_only=True):
    """The body of the verbs `load`, `unload` and `pin`; `is_pinned` is read by `pin` only."""

    model: str
    is_pinned: bool = True


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress", tag_field="type"):
    """One event of a stream of progress. `total` None: not known."""

    text: str
    done: float
    total: float | None
    unit: Literal["bytes", "ratio"]


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done", tag_field="type"):
    """The last event of a stream of progress that succeeded."""

    model: InstalledModel


class Problem(msgspec.Struct, frozen=True, kw_only=True, tag="error", tag_field="type"):
    """The last event of a stream of progress that failed."""

    message: str
    code: str | None


ProgressEvent = Progress | Done | Problem


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `DELETE /admin/v1/models/{name}`. `kept_path`: the adopted file, which was not touched.

    With `?dry_run=true` it is what would be freed, and nothing is deleted.
    """

    name: str
    freed_bytes: int
    kept_path: str | None = None


class KeyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it may be shown: never the key itself."""

    name: str
    scope: Scope
    options: dict[str, str] = {}


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/keys`."""

    keys: tuple[KeyInfo, ...]


class CreateKey(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /admin/v1/keys`."""

    name: str
    scope: Scope = "use"


class CreatedKey(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `CreateKey`: the only time that the key is shown."""

    name: str
    scope: Scope
    key: str
