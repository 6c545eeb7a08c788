"""Showing one answer as it is generated, with its time and its tokens."""

import sys
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from appliance.client import ChatEnd, Client
from appliance.core.request import Message
from appliance.words import tr

from .output import printable

Params = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `end` is None when Ctrl-C stopped the answer before its end."""

    text: str
    end: ChatEnd | None
    first_s: float
    total_s: float


def ask(
    client: Client,
    model: str | None,
    messages: Iterable[Message],
    params: Params,
    *,
    is_shown: bool,
    is_stoppable: bool,
) -> Answer:
    """Ask, print the answer as it comes if `is_shown`, and return it. Raises: ClientError.

    Ctrl-C ends the answer and keeps what came so far if `is_stoppable`; else it goes through.
    """
    started_s = first_s = time.monotonic()
    pieces: list[str] = []
    end = None
    with closing(client.chat_stream(model, messages, **params)) as items:
        try:
            for item in items:
                if isinstance(item, ChatEnd):
                    end = item
                    continue
                first_s = first_s if pieces else time.monotonic()
                pieces.append(item)
                if is_shown:
                    print(_shown(item), end="", flush=True)
        except KeyboardInterrupt:
            if not is_stoppable:
                raise
        finally:
            if is_shown and pieces and not pieces[-1].endswith("\n"):
                print(flush=True)
    if is_shown and not pieces:
        print(flush=True)
    return Answer(text="".join(pieces), end=end, first_s=first_s - started_s, total_s=time.monotonic() - started_s)


def print_figures(answer: Answer) -> None:
    """Print tokens and speed to standard error, where they are no part of the answer."""
    if answer.end is None or answer.end.usage is None:
        return
    usage, tokens_per_s = answer.end.usage, answer.end.tokens_per_s
    speed = "" if tokens_per_s is None else tr(", {speed:.1f} tokens/s", speed=tokens_per_s)
    figures = tr(
        "{prompt} prompt tokens ({cached} cached), {written} generated, first after {time:.2f} s{speed}",
        prompt=usage.prompt_tokens,
        cached=usage.cached_tokens,
        written=usage.completion_tokens,
        time=answer.first_s,
        speed=speed,
    )
    print(f"[{answer.end.model}: {figures}]", file=sys.stderr)


def _shown(text: str) -> str:
    return printable(text) if sys.stdout.isatty() else text
