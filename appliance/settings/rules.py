"""What values settings accept beyond their types, and how people are told."""

import re
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from models.fetch.window import is_window

# Both ends belong to the range.
RANGES: dict[str, tuple[float, float]] = {
    "server.port": (0, 65535),
    "server.ollama_port": (0, 65535),
    "server.max_body_bytes": (1024, 2**40),
    "server.max_audio_bytes": (1024, 2**25),  # a worker is sent a recording in one frame
    "server.max_audio_s": (1, 86400),
    "server.read_timeout_s": (1, 3600),
    "server.drain_timeout_s": (0, 86400),
    "models.keep_versions": (0, 1000),
    "scheduler.max_waiting": (0, 10**6),
    "scheduler.keep_alive_s": (0, 10**9),
    "scheduler.memory_reserve_ratio": (0, 1),
    "scheduler.load_timeout_s": (1, 86400),
    "engine.context_tokens": (16, 2**31 - 1),
    "engine.kv_capacity_tokens": (16, 2**31 - 1),
    "engine.max_step_sequences": (1, 1024),
    "engine.threads": (1, 4096),
    "engine.step_time_target_s": (0.001, 60),
    "engine.max_loss_ratio": (0, 10),
    "kv.memory_bytes": (0, 2**50),
    "kv.disk_bytes": (0, 2**50),
    "kv.max_written_bytes_per_day": (0, 2**50),
    "jobs.max_running": (1, 16),
    "jobs.max_network_running": (1, 16),
    "jobs.max_batches_running": (1, 16),
    "jobs.batch_requests": (1, 128),
    "jobs.niceness": (0, 19),
    "responses.keep_s": (0, 10**10),
    "responses.max_bytes": (0, 2**50),
    "media.fetch_timeout_s": (0.1, 600),
    "media.max_bytes": (1024, 2**27),  # more is never sent to a worker
    "media.max_per_request": (1, 1000),
    "downloads.connections": (1, 16),
    "downloads.max_bytes_per_s": (1024, 2**50),
    "downloads.min_free_bytes": (0, 2**50),
    "cache.ttl_s": (0, 10**10),
    "tasks.keep_s": (0, 10**10),
    "notify.smtp_port": (1, 65535),
    "cache.semantic_threshold": (0.5, 1),
    "cache.memory_bytes": (0, 2**40),
    "cache.disk_bytes": (0, 2**50),
}
CHOICES: dict[str, tuple[str, ...]] = {
    "cache.mode": ("auto", "off", "force"),
    "cache.scope": ("caller", "shared"),
    "engine.kv_type": ("auto", "f32", "int8"),
    "engine.device_fallback": ("allow", "warn", "refuse"),
    "engine.kernels": ("auto", "off"),
    "engine.calibrate": ("idle", "off"),
    "power.when_hot": ("ease", "full"),
    "power.on_battery": ("ease", "full"),
    "notify.smtp_security": ("starttls", "tls", "none"),
    "log.level": ("debug", "info", "warning", "error"),
}
NONE_MEANS = {
    "server.ollama_port": "to listen on server.port alone",
    "downloads.max_bytes_per_s": "for no limit",
    "downloads.window": "for any hour",
    "jobs.batch_window": "for any hour",
    "downloads.hugging_face_endpoint": "for the hub's own",
    "downloads.modelscope_endpoint": "for the hub's own",
    "downloads.ollama_registry": "for the registry's own",
    "downloads.hugging_face_token": "to ask as nobody",
    "downloads.modelscope_token": "to ask as nobody",
    "notify.webhook_secret": "for no webhooks",
    "notify.ca_file": "to trust those alone whom the machine trusts",
    "notify.smtp_host": "for no e-mail",
    "notify.smtp_from": "for no e-mail",
    "notify.smtp_user": "to send without a login",
    "notify.smtp_password": "to send without a login",
}


def _like(pattern: str) -> Callable[[str], object]:
    return partial(re.fullmatch, pattern)


def _is_place(entry: str) -> bool:
    """Return whether an entry of an allow-list is a host, whose address and port can be such."""
    if not re.fullmatch(r"(http://)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.*_-]+)(:\d{1,5})?", entry):
        return False
    try:
        urlsplit(entry if entry.startswith("http://") else f"https://{entry}").port  # noqa: B018  (raises)
    except ValueError:
        return False
    return True


def _is_place_or_mail(entry: str) -> bool:
    return _is_place(entry) or re.fullmatch(r"[^\s@:/]*@[A-Za-z0-9.*-]+", entry) is not None


FORMS: dict[str, tuple[Callable[[str], object], str]] = {
    "jobs.batch_window": (is_window, "hours such as 22:00-06:00"),
    "downloads.window": (is_window, "hours such as 22:00-06:00"),
    "downloads.hugging_face_endpoint": (_like(r"https?://[^\s@]+"), "an address such as https://hub.example.org"),
    "downloads.modelscope_endpoint": (_like(r"https?://[^\s@]+"), "an address such as https://hub.example.org"),
    "downloads.ollama_registry": (_like(r"https?://[^\s@]+"), "an address such as https://registry.example.org"),
    "downloads.hugging_face_token": (_like(r"[!-~]+"), "a token, which is of letters, digits and signs"),
    "downloads.modelscope_token": (_like(r"[!-~]+"), "a token, which is of letters, digits and signs"),
    "models.variants": (
        _like(r"[^\s=,@]+=[A-Za-z0-9][A-Za-z0-9._-]*"),
        'models with a variant each, as in "qwen3" = "Q4_K_M", or qwen3=Q4_K_M,phi4=Q8_0 in a variable',
    ),
    "notify.allowed_addresses": (
        _is_place_or_mail,
        "hosts such as hooks.example.org, *.example.org or http://192.168.1.20:8080, "
        "and mail such as ada@example.org or @example.org",
    ),
    "media.allowed_hosts": (
        _is_place,
        "hosts such as images.example.org, *.example.org or http://images.example.org:8080",
    ),
    "notify.targets": (
        _like(r"([!-~]+ )?((webhook|ntfy):https?://[!-~]+|email:[!-~]+@[!-~]+)"),
        "targets such as webhook:https://hooks.example.org/done, ntfy:URL or email:ADDRESS, after a key's name if only "
        "that caller's work is told",
    ),
    "notify.webhook_secret": (_like(r"whsec_[A-Za-z0-9+/]{32,86}={0,2}"), "whsec_ and 24 to 64 random bytes in base64"),
    "notify.ca_file": (_like(r"/.+"), "the path of a file, from / on"),
    "notify.smtp_host": (_like(r"[A-Za-z0-9.:-]+"), "a host such as mail.example.org"),
    "notify.smtp_from": (_like(r"[^\s@<>]+@[A-Za-z0-9.-]+"), "an address such as appliance@example.org"),
    "notify.smtp_user": (_like(r"[!-~]+"), "a name, which is of letters, digits and signs"),
    "notify.smtp_password": (_like(r"[ -~]+"), "a password, which is of letters, digits and signs"),
}
"""What a text must be, each of a list by itself, and how people are told."""
SIZES = ("_bytes", "_bytes_per_day", "_bytes_per_s")
KIND_NAMES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    tuple[str, ...]: "a list of texts",
}
