"""The one list of what is done about single clients' habits, each a pure function on what came over the wire.

Nothing else in a dialect knows a client. A function returns the very value it was given where there is nothing to do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from appliance.core.quirks import QUIRKS, Quirk

from .anthropic.billing import without_billing_line
from .anthropic.habits import with_client_tools, with_reminders, without_server_tools
from .anthropic.messages import PromptFields
from .ollama.chat import ChatRequest as OllamaChatRequest
from .ollama.habits import with_object_arguments, within_trained_context
from .ollama.options import Options
from .openai.call_arguments import with_text_arguments
from .openai.chat import ChatRequest
from .prefix import RequestPath, undoubled
from .responses.hosted_tools import without_hosted_tools
from .responses.request import PromptRequest


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a function may have to know of the model that is asked."""

    trained_context_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Normalizer:
    """A quirk with the type that it is found in, and what is done about it."""

    quirk: Quirk
    wire: type
    normalize: Callable[[Any, ModelFacts], Any]


def _of_wire(normalize: Callable[[Any], Any]) -> Callable[[Any, ModelFacts], Any]:
    return lambda wire, facts: normalize(wire)


def _grown_num_ctx(options: Options, facts: ModelFacts) -> Options:
    return within_trained_context(options, facts.trained_context_tokens)


_FUNCTIONS: dict[str, tuple[type, Callable[[Any, ModelFacts], Any]]] = {
    "doubled_prefix": (RequestPath, _of_wire(undoubled)),
    "claude_code_billing": (PromptFields, _of_wire(without_billing_line)),
    "claude_code_reminders": (PromptFields, _of_wire(with_reminders)),
    "anthropic_client_tools": (PromptFields, _of_wire(with_client_tools)),
    "anthropic_server_tools": (PromptFields, _of_wire(without_server_tools)),
    "hosted_tools": (PromptRequest, _of_wire(without_hosted_tools)),
    "object_arguments": (ChatRequest, _of_wire(with_text_arguments)),
    "text_arguments": (OllamaChatRequest, _of_wire(with_object_arguments)),
    "grown_num_ctx": (Options, _grown_num_ctx),
}
NORMALIZERS = tuple(Normalizer(quirk, *_FUNCTIONS[quirk.name]) for quirk in QUIRKS)
