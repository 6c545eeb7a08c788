"""The one frozen tree of settings: a struct for each section, with its defaults."""

from typing import Literal

import msgspec

from appliance.core.response_cache import CacheMode, CacheScope
from models.secret_fields import Discreet


class Section(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the tree. A secret in it stands in no log."""


class ServerSettings(Section, frozen=True, kw_only=True):
    """Where the daemon listens and whom it believes. At `ollama_port`, too, where that is not None."""

    host: str = "127.0.0.1"
    port: int = 8484
    ollama_port: int | None = None
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    max_body_bytes: int = 32 * 2**20
    max_audio_bytes: int = 25 * 2**20
    max_audio_s: float = 7200.0
    read_timeout_s: float = 30.0
    drain_timeout_s: float = 30.0


class ModelsSettings(Section, frozen=True, kw_only=True):
    """Which model answers when none is named, which are loaded at start and stay, and how many former versions of a
    name outlive garbage collection. `variants` say for a model what a name would say behind an @."""

    default_model: str = "guide"
    pinned: tuple[str, ...] = ()
    allowed_licences: tuple[str, ...] = ("*",)
    catalogue_keys: tuple[str, ...] = ()
    keep_versions: int = 2
    variants: dict[str, str] = msgspec.field(default_factory=dict)


class SchedulerSettings(Section, frozen=True, kw_only=True):
    """How many wait, how long a model stays, how much memory stays free."""

    max_waiting: int = 256
    keep_alive_s: float = 1800.0
    memory_reserve_ratio: float = 0.2
    load_timeout_s: float = 600.0


class EngineSettings(Section, frozen=True, kw_only=True):
    """Limits of a loaded model, and what computes it. None: chosen from the model and the machine.

    `backend` is taken for every model that it runs. A form of a model that lost more than `max_loss_ratio` is taken
    only by its name. `calibrate`: models are measured while nobody needs the machine, or only when asked for.
    """

    context_tokens: int | None = None
    kv_capacity_tokens: int | None = None
    max_step_sequences: int | None = None
    kv_type: Literal["auto", "f32", "int8"] = "auto"
    threads: int | None = None
    step_time_target_s: float = 0.1
    device: str = "auto"
    provider: str = "auto"
    device_fallback: Literal["allow", "warn", "refuse"] = "warn"
    kernels: Literal["auto", "off"] = "auto"
    calibrate: Literal["idle", "off"] = "idle"
    backend: str = "auto"
    max_loss_ratio: float = 0.01


class KvSettings(Section, frozen=True, kw_only=True):
    """How much of what was computed is kept, beside the KV cache: for each model in main memory, for all on disk.

    None: chosen from the model and the machine. 0 bytes: nothing is kept there.
    """

    memory_bytes: int | None = None
    disk_bytes: int | None = None
    max_written_bytes_per_day: int | None = None


class JobsSettings(Section, frozen=True, kw_only=True):
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


class ResponsesSettings(Section, frozen=True, kw_only=True):
    """How long responses and conversations that nobody goes on with are kept, and how much of them at most.

    The database is read whole at every start, which takes some seconds for what may be kept by default on an SD card.
    """

    keep_s: float = 30 * 86400.0
    max_bytes: int = 256 * 2**20


class CacheSettings(Section, frozen=True, kw_only=True):
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


class MediaSettings(Section, frozen=True, kw_only=True):
    """How many pictures and recordings a request may hold, how long each may be, and where they may be fetched.

    Addresses are followed to `allowed_hosts` alone (`images.example.org`, `*.example.org:8443`, `http://` in front for
    no encryption), and never into a private network.
    """

    allowed_hosts: tuple[str, ...] = ()
    fetch_timeout_s: float = 10.0
    max_bytes: int = 20 * 2**20
    max_per_request: int = 64


class DownloadsSettings(Section, frozen=True, kw_only=True):
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


class TasksSettings(Section, frozen=True, kw_only=True):
    """How long the result of a task is kept after its end."""

    keep_s: float = 7 * 86400.0


class NotifySettings(Section, frozen=True, kw_only=True):
    """Who may be told, and how, that a task, a batch or a job has ended.

    Nobody is, unless `allowed_addresses` names them: hosts of webhooks and of ntfy (`hooks.example.org`,
    `*.example.org`, `http://192.168.1.20:8080`), and mail (`ada@example.org`, `@example.org`). `targets` are told of
    everything, or with a key's name in front of what that caller asked for: `[KEY ]KIND:ADDRESS`. Who signs a server's
    certificate is known to the machine, or stands in `ca_file`.
    """

    allowed_addresses: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    webhook_secret: str | None = None
    ca_file: str | None = None
    smtp_host: str | None = None
    smtp_port: int = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str | None = None
    smtp_password: str | None = None
    smtp_from: str | None = None


class PowerSettings(Section, frozen=True, kw_only=True):
    """Whether models work with fewer threads, and batches wait, while the machine is hot or lives on its battery."""

    when_hot: Literal["ease", "full"] = "ease"
    on_battery: Literal["ease", "full"] = "ease"


class NormalizersSettings(Section, frozen=True, kw_only=True):
    """What is done about habits of single clients; `core/quirks.py` says what each is. False: requests stay as they
    came."""

    doubled_prefix: bool = True
    claude_code_billing: bool = True
    claude_code_reminders: bool = True
    anthropic_client_tools: bool = True
    anthropic_server_tools: bool = True
    hosted_tools: bool = True
    object_arguments: bool = True
    text_arguments: bool = True
    grown_num_ctx: bool = True


class LogSettings(Section, frozen=True, kw_only=True):
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
    media: MediaSettings = MediaSettings()
    downloads: DownloadsSettings = DownloadsSettings()
    power: PowerSettings = PowerSettings()
    normalizers: NormalizersSettings = NormalizersSettings()
    log: LogSettings = LogSettings()
