"""`POST /v1/chat/completions`, outwards: the shapes of one whole answer and of a chunk."""

import msgspec
from msgspec import UNSET, UnsetType

from .logprobs import ChatLogprobs
from .reply import SYSTEM_FINGERPRINT, Timing
from .usage import UsageWire


class ChatShape(msgspec.Struct, frozen=True, kw_only=True):
    """What of an answer's form depends on the request.

    Calls of `custom_tools` are written with their text, those of a legacy request as its only `function_call`.
    """

    custom_tools: frozenset[str] = frozenset()
    is_legacy: bool = False
    shows_reasoning: bool = True
    metadata: dict[str, str] | None = None
    service_tier: str | None = None


class FunctionSaid(msgspec.Struct, frozen=True, kw_only=True):
    """What is called with which arguments, or more of the arguments."""

    name: str | UnsetType = UNSET
    arguments: str


class CustomSaid(msgspec.Struct, frozen=True, kw_only=True):
    """What is called with which text, or more of the text."""

    name: str | UnsetType = UNSET
    input: str


class CallWire(msgspec.Struct, frozen=True, kw_only=True):
    """One of the calls; `index` is only there in a chunk, and there `id` and `type` only in the first."""

    index: int | UnsetType = UNSET
    id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    function: FunctionSaid | UnsetType = UNSET
    custom: CustomSaid | UnsetType = UNSET


class AnswerMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The assistant's turn. What it thought has two names, since clients look for either."""

    role: str = "assistant"
    content: str | None
    refusal: None = None
    annotations: tuple[()] = ()
    audio: None = None
    reasoning_content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    function_call: FunctionSaid | UnsetType = UNSET
    tool_calls: list[CallWire] | UnsetType = UNSET


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One of the `n` answers."""

    index: int
    message: AnswerMessage
    logprobs: ChatLogprobs | None
    finish_reason: str


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a response without `stream`."""

    id: str
    object: str = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: UsageWire
    metadata: dict[str, str] | None
    service_tier: str | None
    system_fingerprint: str = SYSTEM_FINGERPRINT
    moderation: None = None
    timings: Timing = UNSET


class ChunkDelta(msgspec.Struct, frozen=True, kw_only=True):
    """What a chunk adds to a choice."""

    role: str | UnsetType = UNSET
    content: str | UnsetType | None = UNSET
    refusal: UnsetType | None = UNSET
    reasoning_content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    function_call: FunctionSaid | UnsetType = UNSET
    tool_calls: tuple[CallWire, ...] | UnsetType = UNSET


class ChunkChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The choice that a chunk adds to."""

    index: int
    delta: ChunkDelta
    logprobs: ChatLogprobs | None = None
    finish_reason: str | None = None


class ChatChunk(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a stream. `usage` is null in every chunk but the last when the caller asked to have it."""

    id: str
    object: str = "chat.completion.chunk"
    created: int
    model: str
    choices: tuple[ChunkChoice, ...]
    usage: UsageWire | UnsetType | None
    service_tier: str | None
    system_fingerprint: str = SYSTEM_FINGERPRINT
    moderation: None = None
    timings: Timing = UNSET
