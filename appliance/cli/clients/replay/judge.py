"""Whether a client works with a model: a judgement of what it asked and what came back. Pure."""

import json
from collections.abc import Sequence
from typing import Literal

import msgspec

from .answer import Raw, hear
from .script import Script, Step

BYTES_PER_TOKEN = 4
"""Of English and code in JSON, roughly: what is wanted is whether a prompt fits, not its length."""

_NO_KEY = "as with Ollama it sends no key, and this box asks for one; give it the address with /v1 and a key"

Works = Literal["yes", "partly", "no"]


class Verdict(msgspec.Struct, frozen=True):
    """What a client may expect; `reasons` say why it is not everything."""

    client: str
    works: Works
    reasons: tuple[str, ...]


def judge(
    script: Script, answers: Sequence[Raw | None], *, context_tokens: int | None, capabilities: Sequence[str]
) -> Verdict:
    """Return the verdict on a client from the answers to its steps; None is a step that was left out."""
    failed: list[str] = []
    missing: list[str] = []
    needed_tokens = script.first_request_bytes // BYTES_PER_TOKEN
    if context_tokens is not None and needed_tokens > context_tokens:
        numbers = f"its first request is about {needed_tokens} tokens long, and the model has room for {context_tokens}"
        failed.append(f"{numbers}; take a model with a longer context, or set engine.context_tokens higher")
    for step, raw in zip(script.steps, answers, strict=True):
        if step.needs is not None and step.needs not in capabilities:
            missing.append(f"{step.name}: not tried, {step.optional or f'the model has no {step.needs}'}")
        elif raw is not None and (problem := fault(step, raw)):
            is_beside = step.optional is not None or _wants_key(step, raw)
            (missing if is_beside else failed).append(problem)
    works: Works = "no" if failed else "partly" if missing else "yes"
    return Verdict(script.client, works, _once((*failed, *missing)))


def _once(reasons: tuple[str, ...]) -> tuple[str, ...]:
    """Return the reasons without those that only say of another step what one said before."""
    return tuple({reason.partition(": ")[2] or reason: reason for reason in reversed(reasons)}.values())[::-1]


def fault(step: Step, raw: Raw) -> str | None:
    """Return what is wrong with the answer to a step, None where nothing is."""
    if _wants_key(step, raw):
        return f"{step.name}: {_NO_KEY}"
    if raw.status >= 400:
        return f"{step.name}: {raw.status}, {_message(raw)}"
    heard = hear(raw, step.kind)
    if heard.problem:
        return f"{step.name}: {heard.problem}"
    if not heard.is_ended:
        return f"{step.name}: the answer has no end"
    absent = {
        "text": not (heard.text or heard.calls) and "the answer is empty",
        "call": not heard.calls and "the model did not use the tool that the question needs",
        "cached": not heard.cached_tokens and "what was asked before was computed again",
    }
    found = next((absent[want] for want in step.wants if absent[want]), None)
    if not found:
        return None
    return f"{step.name}: {found}" + (f"; {step.optional}" if step.optional else "")


def _wants_key(step: Step, raw: Raw) -> bool:
    """Return whether all that is wrong is that the client sends no key in this way, and there is another way."""
    return raw.status == 401 and step.key_form == "none"


def _message(raw: Raw) -> str:
    try:
        error = json.loads(raw.body)["error"]
    except (ValueError, LookupError, TypeError):
        return "and no reason given"
    return str(error if isinstance(error, str) else error.get("message", "and no reason given"))
