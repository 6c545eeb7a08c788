"""One API call as the engine understands it, whichever dialect it was spoken in."""

from typing import Any, Literal, NewType

import msgspec

from .sampling import SamplingParams, StopConditions

RequestId = NewType("RequestId", str)
Priority = Literal["interactive", "normal", "batch"]
PRIORITY_RANK: dict[Priority, int] = {"interactive": 0, "normal": 1, "batch": 2}
"""Who goes first: the lower rank."""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One turn of a conversation, in the shape that chat templates read."""

    role: str
    content: str
    name: str | None = None


class ChatPrompt(msgspec.Struct, frozen=True, kw_only=True, tag="chat"):
    """Messages, rendered by the model's own chat template with `template_kwargs` as extra variables."""

    messages: tuple[Message, ...]
    template_kwargs: dict[str, Any] = {}


class TextPrompt(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """Plain text to continue."""

    text: str


class TokenPrompt(msgspec.Struct, frozen=True, kw_only=True, tag="tokens"):
    """Token ids to continue, used as they are."""

    tokens: tuple[int, ...]


Prompt = ChatPrompt | TextPrompt | TokenPrompt


class TextPair(msgspec.Struct, frozen=True, kw_only=True, tag="pair"):
    """Two texts whose relevance to each other is asked: a query and a document."""

    first: str
    second: str


InputRole = Literal["query", "document"]
"""What a text is to a search. Models that were trained so put an instruction of their own before each kind."""


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True, tag="generate"):
    """A prompt and what is to be made of it: `num_choices` independent continuations.

    `logprobs` None asks for none, 0 for those of the chosen tokens, k for the k likeliest beside them.
    `model` is a canonical name. `deadline_s` is measured from arrival.
    """

    id: RequestId
    model: str
    prompt: Prompt
    sampling: SamplingParams = SamplingParams()
    stop: StopConditions = StopConditions()
    num_choices: int = 1
    logprobs: int | None = None
    cache_prompt: bool = True
    timings_per_token: bool = False
    priority: Priority = "normal"
    deadline_s: float | None = None


class EncodeRequest(msgspec.Struct, frozen=True, kw_only=True, tag="encode"):
    """Inputs that become rows of numbers: their embeddings, or for `score` the relevance of each pair, one number.

    `dimensions` shortens the embeddings to their first numbers.
    """

    id: RequestId
    model: str
    task: Literal["embed", "score"]
    inputs: tuple[TextPrompt | TokenPrompt | TextPair, ...]
    role: InputRole | None = None
    dimensions: int | None = None
    priority: Priority = "normal"
    deadline_s: float | None = None

    @property
    def num_choices(self) -> int:
        """Return the places that it takes in a worker: one, however many inputs it has."""
        return 1


Request = GenerateRequest | EncodeRequest
