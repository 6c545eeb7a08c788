"""Renders a conversation with the chat template of a model file.

A template is a program by a stranger. It runs in Jinja's immutable sandbox (no private attributes, no changes to what
it is given) and within bounds on loops, repetition and output. A template that builds a huge string by doubling it is
not stopped here; that costs the worker of this one model its memory, never the daemon.

What the template writes and what a user wrote become one text. Where that text is tokenized with special tokens
parsed, a message containing `<|im_end|>` ends its turn just as the template's own marker does: the template format has
no way to tell them apart. Whoever must hold users to their turn takes the model's special texts out of the messages.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from appliance.errors import BackendError, InvalidRequest

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

_MAX_LOOP_STEPS = 1_000_000
_MAX_REPETITION = 1_000_000
_MAX_MARKUP_CHARACTERS = 1_000_000
_OWN_VARIABLES = frozenset(
    {"messages", "bos_token", "eos_token", "tools", "documents", "raise_exception", "strftime_now", "range"}
)


class ChatTemplate:
    """One model's template, compiled. `source` None stands for ChatML; `is_fallback` then says so.

    Raises: BackendError when the source is not a template.
    """

    def __init__(
        self, source: str | None, bos_text: str, eos_text: str, clock: Callable[[], datetime] = datetime.now
    ) -> None:
        self.is_fallback = source is None
        self._markers = {"bos_token": bos_text, "eos_token": eos_text}
        environment = _Environment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _GenerationTag])
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda pattern: clock().strftime(pattern)
        try:
            self._template = environment.from_string(CHATML if source is None else source)
        except (jinja2.TemplateSyntaxError, RecursionError) as error:
            raise BackendError(f"the model's chat template cannot be read: {_said(error)}") from error

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        template_kwargs: Mapping[str, Any],
        tools: Sequence[Mapping[str, Any]] | None = None,
    ) -> str:
        """Return the prompt, ending where the assistant begins to speak.

        `template_kwargs` are further variables; `add_generation_prompt` may be set, the conversation may not.
        Raises: InvalidRequest when the template refuses the messages, BackendError when it fails.
        """
        taken = sorted(_OWN_VARIABLES & template_kwargs.keys())
        if taken:
            raise InvalidRequest(f"chat_template_kwargs may not set {taken[0]!r}", param="chat_template_kwargs")
        variables = {
            "add_generation_prompt": True,
            **template_kwargs,
            **self._markers,
            "messages": messages,
            "tools": tools,
            "documents": None,
            "range": _bounded_range(),
        }
        max_characters = _MAX_MARKUP_CHARACTERS + 4 * _num_characters([messages, tools or ()])
        try:
            rendered = _joined(self._template.generate(variables), max_characters)
            return rendered.encode(errors="replace").decode()  # half of a pair of characters has no tokens
        except _Refused as refusal:
            raise InvalidRequest(
                f"the model's chat template refuses these messages: {refusal}", param="messages"
            ) from refusal
        except Exception as error:  # a stranger's program can raise anything; whatever it is, it names the template
            raise BackendError(f"the model's chat template failed: {_said(error)}") from error


class _Refused(Exception):
    """The template called `raise_exception`."""


class _TooMuch(Exception):
    """The template passed a bound."""


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any) -> Any:
        """Compute `left * right` or `left ** right` where the result is sure to stay small."""
        if operator == "**" and not (isinstance(left, (int, float)) and abs(left) <= 1000 and abs(right) <= 100):
            raise _TooMuch("it computes a power that is too large")
        if operator == "*":
            for value, times in ((left, right), (right, left)):
                if isinstance(value, (str, list, tuple)) and times * len(value) > _MAX_REPETITION:
                    raise _TooMuch(f"it repeats a text or list past {_MAX_REPETITION} entries")
        return super().call_binop(context, operator, left, right)


class _GenerationTag(Extension):
    """Accepts `{% generation %}…{% endgeneration %}`, which marks the assistant's words for training."""

    tags = {"generation"}  # noqa: RUF012 (the base class declares it so)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Return the body as if the tags were not there."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _refuse(message: str) -> NoReturn:
    raise _Refused(message)


def _to_json(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False
) -> str:
    # Jinja's own filter escapes for HTML and sorts keys, which models were not trained on.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _num_characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_num_characters(key) + _num_characters(inner) for key, inner in value.items())
    return sum(map(_num_characters, value)) if isinstance(value, (list, tuple)) else 8


def _bounded_range() -> Callable[..., range]:
    """Return a `range` whose results, over one rendering, hold no more than `_MAX_LOOP_STEPS` numbers together."""
    left = _MAX_LOOP_STEPS

    def bounded(*arguments: int) -> range:
        nonlocal left
        numbers = range(*arguments)
        left -= len(numbers)
        if left < 0:
            raise _TooMuch(f"it loops more than {_MAX_LOOP_STEPS} times")
        return numbers

    return bounded


def _joined(pieces: Iterator[str], max_characters: int) -> str:
    parts: list[str] = []
    for piece in pieces:
        parts.append(piece)
        max_characters -= len(piece)
        if max_characters < 0:
            raise _TooMuch("its output is far longer than the messages")
    return "".join(parts)


def _said(error: BaseException) -> str:
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"line {error.lineno}: {error.message}"
    return str(error) or type(error).__name__
