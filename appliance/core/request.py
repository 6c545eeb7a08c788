"""One API call as the engine understands it, whichever dialect it was spoken in."""

from typing import Any, Literal, NewType

import msgspec

from .response_cache import CacheWish
from .sampling import SamplingParams, StopConditions

RequestId = NewType("RequestId", str)
Priority = Literal["interactive", "normal", "batch"]
PRIORITY_RANK: dict[Priority, int] = {"interactive": 0, "normal": 1, "batch": 2}
"""Who goes first: the lower rank."""


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that the model made: `arguments` is the JSON text of an object, as it was written."""

    id: str
    name: str
    arguments: str


MediaKind = Literal["image", "audio"]


class Media(msgspec.Struct, frozen=True, kw_only=True, tag="media"):
    """A picture or a recording, as its file has it, that stands before character `at` of its message's content.

    `digest` is the SHA-256 of `data` in hexadecimal: every cache knows a medium by it.
    """

    kind: MediaKind
    data: bytes
    digest: str
    at: int


class MediaAddress(msgspec.Struct, frozen=True, kw_only=True, tag="media_address", omit_defaults=True):
    """A medium that is still to be fetched, which the daemon does before a request is cached or waits.

    It lies behind the `url` or, where there is none, in the caller's file `file_id`. `param` is the field that says so.
    """

    kind: MediaKind
    url: str = ""
    file_id: str = ""
    at: int
    param: str


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One turn of a conversation. Role `tool` answers the call that `tool_call_id` names; `name` is then the tool's.

    `media` stand in the order of their places in the content; a worker sees no `MediaAddress`.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    name: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    media: tuple[Media | MediaAddress, ...] = ()


class Tool(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A function that the model may ask to be called; `parameters` is the JSON schema of its arguments."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    is_strict: bool = False


class ToolChoice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether tools are called: if the model wants, never, at least one, or (`required`) the one that is named."""

    mode: Literal["auto", "none", "required"] = "auto"
    name: str | None = None
    is_parallel: bool = True


ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


class Reasoning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much the model thinks before it answers. None: as its template has it. Effort "none" switches it off.

    After `max_tokens` tokens of thinking its end is forced.
    """

    effort: ReasoningEffort | None = None
    max_tokens: int | None = None


class ChatPrompt(msgspec.Struct, frozen=True, kw_only=True, tag="chat", omit_defaults=True):
    """Messages, rendered by the model's own chat template with `template_kwargs` as extra variables.

    Where `continues_last`, the last message is the assistant's, and the answer goes on with it.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    reasoning: Reasoning = Reasoning()
    template_kwargs: dict[str, Any] = {}
    continues_last: bool = False


class TextPrompt(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """Plain text to continue."""

    text: str


class TokenPrompt(msgspec.Struct, frozen=True, kw_only=True, tag="tokens"):
    """Token ids to continue, used as they are."""

    tokens: tuple[int, ...]


class FillPrompt(msgspec.Struct, frozen=True, kw_only=True, tag="fill"):
    """A gap to fill between two texts. Only for vocabularies with fill-in-the-middle tokens."""

    prefix: str
    suffix: str


Prompt = ChatPrompt | TextPrompt | TokenPrompt | FillPrompt


class JsonSchema(msgspec.Struct, frozen=True, kw_only=True, tag="json_schema"):
    """The answer is JSON that this schema allows. `param` names the field of the request that it came from."""

    schema: dict[str, Any] | bool
    param: str


class Regex(msgspec.Struct, frozen=True, kw_only=True, tag="regex"):
    """The whole answer matches a regular expression (Rust's syntax)."""

    pattern: str
    param: str


class Grammar(msgspec.Struct, frozen=True, kw_only=True, tag="grammar"):
    """The whole answer is a sentence of a grammar: Lark as llguidance reads it, or the GBNF of GGUF's world."""

    text: str
    syntax: Literal["lark", "gbnf"]
    param: str


Constraint = JsonSchema | Regex | Grammar


class TextPair(msgspec.Struct, frozen=True, kw_only=True, tag="pair"):
    """Two texts whose relevance to each other is asked: a query and a document."""

    first: str
    second: str


InputRole = Literal["query", "document"]
"""What a text is to a search. Models that were trained so put an instruction of their own before each kind."""


class AdapterRef(msgspec.Struct, frozen=True, kw_only=True):
    """A LoRA adapter that a request wants applied, `scale` times as strongly as it was trained to be.

    `path` is its file or folder in the `format` it has, `compiled_path` the folder for what is made of it once.
    """

    name: str
    digest: str
    path: str
    format: Literal["gguf", "peft"]
    compiled_path: str
    scale: float = 1.0


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True, tag="generate"):
    """A prompt and what is to be made of it: `num_choices` independent continuations.

    `logprobs` None asks for none, 0 for those of the chosen tokens, k for the k likeliest beside them.
    `constraint` shapes the answer, after the model has thought. Where `echoes_prompt`, the prompt's text comes first as
    a `PromptEcho`, and with `logprobs` those of its tokens, too. `model` is a canonical name. `deadline_s` is measured
    from arrival, and the model stays in memory for `keep_alive_s` after the answer (None: as the settings say).
    `context` are the tokens of an earlier exchange that the prompt goes on with; where it `returns_tokens`, each end
    carries those of this one: prompt and output. `cache` is for the response cache alone: no worker sees it.

    `model` names the `adapters`, too, in an order that changes nothing; `served_by` is then the model that is loaded
    for it, the empty string being `model` itself.
    """

    id: RequestId
    model: str
    prompt: Prompt
    sampling: SamplingParams = SamplingParams()
    stop: StopConditions = StopConditions()
    num_choices: int = 1
    logprobs: int | None = None
    constraint: Constraint | None = None
    echoes_prompt: bool = False
    context: tuple[int, ...] = ()
    returns_tokens: bool = False
    cache_prompt: bool = True
    timings_per_token: bool = False
    priority: Priority = "normal"
    deadline_s: float | None = None
    keep_alive_s: float | None = None
    cache: CacheWish | None = None
    adapters: tuple[AdapterRef, ...] = ()
    served_by: str = ""

    @property
    def resident(self) -> str:
        """Return the model whose worker answers: with adapters, one is loaded for all of them and for none."""
        return self.served_by or self.model


class EncodeRequest(msgspec.Struct, frozen=True, kw_only=True, tag="encode"):
    """Inputs that become rows of numbers: their embeddings, or for `score` the relevance of each pair, one number.

    `dimensions` shortens the embeddings to their first numbers. A text that is too long is refused unless it
    `truncates`. `keep_alive_s` is as in `GenerateRequest`.
    """

    id: RequestId
    model: str
    task: Literal["embed", "score"]
    inputs: tuple[TextPrompt | TokenPrompt | TextPair, ...]
    role: InputRole | None = None
    dimensions: int | None = None
    truncates: bool = False
    priority: Priority = "normal"
    deadline_s: float | None = None
    keep_alive_s: float | None = None

    @property
    def num_choices(self) -> int:
        """Return the places that it takes in a worker: one, however many inputs it has."""
        return 1

    @property
    def resident(self) -> str:
        """Return the model whose worker answers."""
        return self.model


class TranscribeRequest(msgspec.Struct, frozen=True, kw_only=True, tag="transcribe"):
    """A recording whose words are asked for, in its own language or, for `translate`, in English.

    `audio` is a file as it was sent. `language` is a code of two or three letters, None where it is to be heard;
    `prompt` is what could have been said before. A recording longer than `max_audio_s` is refused. A window that came
    out badly is tried again at higher temperatures than `temperature`. `keep_alive_s` is as in `GenerateRequest`.
    """

    id: RequestId
    model: str
    audio: bytes
    task: Literal["transcribe", "translate"] = "transcribe"
    language: str | None = None
    prompt: str = ""
    temperature: float = 0.0
    max_audio_s: float
    priority: Priority = "normal"
    deadline_s: float | None = None
    keep_alive_s: float | None = None

    @property
    def num_choices(self) -> int:
        """Return the places that it takes in a worker: one, however long it is."""
        return 1

    @property
    def resident(self) -> str:
        """Return the model whose worker answers."""
        return self.model


class ReadRequest(msgspec.Struct, frozen=True, kw_only=True, tag="read"):
    """What a vocabulary knows without the weights: how many tokens a prompt has, which, and what text it or they are.

    Only a `TextPrompt` is read without special tokens where `parses_special` or `adds_special` is False; every other
    prompt, and a text by default, has the very tokens that an answer to it is charged for.
    """

    id: RequestId
    model: str
    prompt: Prompt
    wants: Literal["count", "text", "tokens", "pieces"] = "count"
    parses_special: bool = True
    adds_special: bool = True


Request = GenerateRequest | EncodeRequest | TranscribeRequest
