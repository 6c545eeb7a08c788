"""Echo as the daemon sees it, and what the path of an echo artefact can ask for."""

from typing import Literal
from urllib.parse import parse_qsl

import msgspec

from appliance.backends.description import EngineInstructions, Preparation
from appliance.backends.echo_templates import EchoChat
from appliance.backends.prior import Predicted, Work
from appliance.core.hardware import HardwareSnapshot
from appliance.core.plan import Artefact, BackendDescriptor, MemoryEstimate, StepLimits
from appliance.core.request import MediaKind
from appliance.core.traits import ModelTask
from appliance.errors import BackendError
from models.manifest import ModelDetails

KV_BYTES_PER_TOKEN = 4
MAX_ADAPTERS_PER_STEP = 2
MIN_VOCAB_SIZE = 262
"""Bytes and special tokens."""


class EchoOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the path of an echo artefact can ask for.

    `context` and `capacity` are in tokens and go before the plan's. `die_*` end the process as the kernel would
    when memory runs out; `fail_*` raise BackendError. `truncate=0` behaves as a recurrent model does; `copy=memory`,
    `grid` and `batch=0` as one that keeps a row of memory for each sequence. With a high `emphasis` the answer is sure
    at any temperature. `chat` is the kind of its chat template. With `sees` and `hears` it repeats of each medium the
    first of its keys.
    """

    task: ModelTask = "generate"
    width: int = 8
    vocab: int = 512
    chat: EchoChat = "plain"
    emphasis: float = 8.0
    context: int | None = None
    capacity: int | None = None
    truncate: bool = True
    retain: Literal["free", "slows_steps", "no"] = "free"
    copy: Literal["shared", "memory"] = "shared"
    grid: int = 1
    batch: bool = True
    sees: bool = False
    hears: bool = False
    weights_bytes: int = 0
    load_s: float = 0.0
    step_s: float = 0.0
    token_s: float = 0.0
    fail_load: str | None = None
    die_on_load: bool = False
    fail_after_steps: int | None = None
    die_after_steps: int | None = None

    @property
    def media(self) -> frozenset[MediaKind]:
        """What it reads beside text."""
        kinds: dict[MediaKind, bool] = {"image": self.sees, "audio": self.hears}
        return frozenset(kind for kind, is_read in kinds.items() if is_read)


def parse_options(path: str) -> EchoOptions:
    """Return the options in an artefact's path. Raises: BackendError, if there is one that is not known."""
    try:
        options = msgspec.convert(dict(parse_qsl(path.partition("?")[2])), EchoOptions, strict=False)
    except msgspec.ValidationError as error:
        raise BackendError(f"the echo artefact {path!r} asks for what echo cannot do: {error}") from error
    if options.vocab < MIN_VOCAB_SIZE:
        raise BackendError(f"an echo vocabulary needs at least {MIN_VOCAB_SIZE} tokens, not {options.vocab}")
    return options


class EchoDescription:
    """Echo is ready everywhere."""

    def descriptor(self, snapshot: HardwareSnapshot) -> BackendDescriptor:
        """Return that echo is ready."""
        return BackendDescriptor(
            name="echo",
            state="ready",
            message="deterministic and without a model, for tests",
            mend=None,
            formats=frozenset({"echo"}),
            devices=("cpu",),
            kv_types=("f16",),
            version=self.version(),
            max_adapters_per_step=MAX_ADAPTERS_PER_STEP,
        )

    def version(self) -> str | None:
        """Return the version of what echo answers."""
        return "2"

    def estimate(
        self, artefact: Artefact, details: ModelDetails | None, limits: StepLimits, kv_type: str
    ) -> MemoryEstimate:
        """Return what the options pretend, so that tests can fill a machine."""
        weights_bytes = parse_options(artefact.path).weights_bytes
        return MemoryEstimate(
            weights_bytes=weights_bytes, kv_bytes_per_token=KV_BYTES_PER_TOKEN, kv_type=kv_type, scratch_bytes=0
        )

    def refusal(self, details: ModelDetails | None) -> str | None:
        """Return None: it repeats for everybody."""
        return None

    def preparation(
        self, model: str, artefact: Artefact, details: ModelDetails | None, snapshot: HardwareSnapshot
    ) -> Preparation | None:
        """Return None: it reads no files."""
        return None

    def prior(self, work: Work) -> Predicted | None:
        """Return None: it is as fast as its options say."""
        return None

    def instructions(self, timeout_s: float) -> EngineInstructions | None:
        """Return None: nothing of it is compiled."""
        return None

    def rebuild_command(self) -> str | None:
        """Return None: nothing of it is compiled."""
        return None
