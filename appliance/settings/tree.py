"""The one frozen tree of settings: a struct for each section, with its defaults."""

from typing import Literal

import msgspec

from appliance.core.response_cache import CacheMode, CacheScope

from .rules import SECRETS


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the daemon listens and whom it believes. At `ollama_port`, too, where that is not None."""

    host: str = "127.0.0.1"
    port: int = 8484
    ollama_port: int | None = None
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    max_body_bytes: int = 32 * 2**20
    read_timeout_s: float = 30.0
    drain_timeout_s: float = 30.0


class ModelsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which model answers when none is named, which are loaded at start and stay, and how many former versions of a
    name outlive garbage collection."""

    default_model: str = "guide"
    pinned: tuple[str, ...] = ()
    allowed_licences: tuple[str, ...] = ("*",)
    catalogue_keys: tuple[str, ...] = ()
    keep_versions: int = 2


class SchedulerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many wait, how long a model stays, how much memory stays free."""

    max_waiting: int = 256
    keep_alive_s: float = 1800.0
    memory_reserve_ratio: float = 0.2
    load_timeout_s: float = 600.0


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of a loaded model, and what computes it. None: chosen from the model and the machine."""

    context_tokens: int | None = None
    kv_capacity_tokens: int | None = None
    max_step_sequences: int | None = None
    kv_type: Literal["auto", "f32", "int8"] = "auto"
    threads: int | None = None
    step_time_target_s: float = 0.1
    provider: str = "auto"
    provider_fallback: Literal["allow", "warn", "refuse"] = "warn"
    kernels: Literal["auto", "off"] = "auto"


class KvSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of what was computed is kept, beside the KV cache: for each model in main memory, for all on disk.

    None: chosen from the model and the machine. 0 bytes: nothing is kept there.
    """

    memory_bytes: int | None = None
    disk_bytes: int | None = None
    max_written_bytes_per_day: int | None = None


class JobsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many jobs run at a time, and how far behind serving they stand for the processor (19: the furthest).

    Those that mostly wait for a network, as downloads do, are counted by themselves; so are batches, of which each asks
    `batch_requests` at once, in the hours of `batch_window` alone (`22:00-06:00`, local time; None: at any).
    """

    max_running: int = 1
    max_network_running: int = 2
    max_batches_running: int = 2
    batch_requests: int = 16
    batch_window: str | None = None
    niceness: int = 19


class ResponsesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long responses and conversations that nobody goes on with are kept, and how much of them at most.

    The database is read whole at every start, which takes some seconds for what may be kept by default on an SD card.
    """

    keep_s: float = 30 * 86400.0
    max_bytes: int = 256 * 2**20


class CacheSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which answers are kept, for whom, how long and how many.

    "auto" keeps those that would come out the same again (temperature 0, or a seed), "force" all, "off" none. In the
    scope "caller" everybody gets their own answers only; in "shared" whoever asks the same. With a `semantic_model`,
    which makes embeddings, a question is answered like an earlier one when their cosine reaches the threshold.
    """

    mode: CacheMode = "auto"
    scope: CacheScope = "caller"
    ttl_s: float = 7 * 86400.0
    memory_bytes: int = 64 * 2**20
    disk_bytes: int = 2**30
    semantic_model: str | None = None
    semantic_threshold: float = 0.95


class DownloadsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where models are pulled from, as whom, how fast, and at which hours of the day (`22:00-06:00`, local time).

    The limit is that of all downloads together. None: the hub's own address, nobody's token, no limit, any hour.
    """

    connections: int = 4
    max_bytes_per_s: int | None = None
    window: str | None = None
    min_free_bytes: int = 2**30
    hugging_face_endpoint: str | None = None
    hugging_face_token: str | None = None
    modelscope_endpoint: str | None = None
    modelscope_token: str | None = None
    ollama_registry: str | None = None

    def __repr__(self) -> str:
        """Return all but the tokens, which belong in no log."""
        return _without_secrets(self)


class TasksSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the result of a task is kept after its end."""

    keep_s: float = 7 * 86400.0


class NotifySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may be told, and how, that a task, a batch or a job has ended.

    Nobody is, unless `allowed_addresses` names them: hosts of webhooks and of ntfy (`hooks.example.org`,
    `*.example.org`, `http://192.168.1.20:8080`), and mail (`ada@example.org`, `@example.org`). `targets` are told of
    everything, or with a key's name in front of what that caller asked for: `[KEY ]KIND:ADDRESS`.
    """

    allowed_addresses: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    webhook_secret: str | None = None
    smtp_host: str | None = None
    smtp_port: int = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str | None = None
    smtp_password: str | None = None
    smtp_from: str | None = None

    def __repr__(self) -> str:
        """Return all but the secrets, which belong in no log."""
        return _without_secrets(self)


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the log shows."""

    level: str = "info"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole tree."""

    server: ServerSettings = ServerSettings()
    models: ModelsSettings = ModelsSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    engine: EngineSettings = EngineSettings()
    kv: KvSettings = KvSettings()
    jobs: JobsSettings = JobsSettings()
    responses: ResponsesSettings = ResponsesSettings()
    cache: CacheSettings = CacheSettings()
    tasks: TasksSettings = TasksSettings()
    notify: NotifySettings = NotifySettings()
    downloads: DownloadsSettings = DownloadsSettings()
    log: LogSettings = LogSettings()


def _without_secrets(section: msgspec.Struct) -> str:
    shown = {name: getattr(section, name) for name in section.__struct_fields__ if not name.endswith(SECRETS)}
    return f"{type(section).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"
