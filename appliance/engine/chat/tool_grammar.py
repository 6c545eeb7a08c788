"""The grammar of an answer that may call tools: pure, from a family, the tools and what the caller wants of them.

It begins where the thinking that the prompt opened has ended; thinking that the model begins itself is part of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.core.request import Tool, ToolChoice

from .call_grammar import call_rule
from .lark import TEXT, Lark, either, joined
from .syntax import Calls, Family, JsonShape

CONTENT_RULE = "content"
_SPACES = r"/[ \n]*/"
_NO_OBJECT = r"/([^{](?s:.*))?/"
_START = "<|start|>assistant"


@dataclass(frozen=True, slots=True)
class Layout:
    """How an answer is laid out from where its grammar begins.

    `control` are the family's markers that are control tokens. `may_think`: the model may begin to think by itself;
    `is_thinking`: the prompt has begun it; `is_final`: the prompt has begun the final message.
    """

    family: Family
    control: Mapping[str, int]
    may_think: bool
    is_thinking: bool = False
    is_final: bool = False


def answer_grammar(layout: Layout, tools: Sequence[Tool], choice: ToolChoice, *, has_constraint: bool) -> str | None:
    """Return the grammar of an answer that may call these tools, in Lark; None where the constraint alone says it all.

    With `has_constraint`, what is said has to match a rule `content` that the caller adds.
    """
    lark = Lark(layout.control)
    if layout.is_final or not (tools or (has_constraint and (layout.may_think or layout.family.has_channels))):
        return None
    is_single = choice.name is not None or not choice.is_parallel
    if layout.family.has_channels:
        return lark.source(_channels(lark, layout, tools, choice, has_constraint=has_constraint))
    thought = f"({_thought(lark, layout)})? " if layout.may_think else ""
    if not tools:
        return lark.source(thought + CONTENT_RULE)
    calls = layout.family.calls[0]
    inner = _inner(lark, calls, tools, is_single=is_single)
    pair = lark.rule(joined(lark.literal(calls.open), inner))
    is_one_pair = is_single or calls.between is not None or not calls.open
    written = pair if is_one_pair else f"{pair} ({joined(lark.literal(calls.pair_separator), pair)})*"
    if choice.mode == "required":
        return lark.source(thought + written)
    if has_constraint:
        return lark.source(thought + either(CONTENT_RULE, written))
    if not calls.open:
        return lark.source(thought + _unmarked(lark, layout.family, written)) if _is_strict(tools) else None
    called = lark.rule(f"{lark.until(calls.open)} {inner}")
    return lark.source(thought + (either(TEXT, called) if is_single else f"{called}* {TEXT}"))


def _thought(lark: Lark, layout: Layout) -> str:
    thinking = layout.family.thinking
    assert thinking is not None
    return f"{lark.literal(thinking.open)} {lark.until(thinking.close)} {_SPACES}"


def _is_strict(tools: Sequence[Tool]) -> bool:
    return any(tool.is_strict for tool in tools)


def _unmarked(lark: Lark, family: Family, call: str) -> str:
    """Return what matches words or a call without a marker. Words must not begin as a call does, not even as JSON.

    So this is only asked of a model where a strict schema has to be obeyed.
    """
    opens = [calls.open for calls in family.calls if calls.open and isinstance(calls.shape, JsonShape)]
    return either(_NO_OBJECT, call, *(f"{lark.literal(open_)} {call}" for open_ in opens))


def _inner(lark: Lark, calls: Calls, tools: Sequence[Tool], *, is_single: bool) -> str:
    """Return what matches the calls of one pair of markers and the second of these."""
    call = lark.rule(either(*(call_rule(lark, calls.shape, tool) for tool in tools)))
    several = call if calls.between is None or is_single else f"{call} ({lark.literal(calls.between)} {call})*"
    return joined(lark.literal(calls.before_first), several, lark.literal(calls.after_last + calls.close))


def _channels(lark: Lark, layout: Layout, tools: Sequence[Tool], choice: ToolChoice, *, has_constraint: bool) -> str:
    """Return what matches harmony's messages: thoughts and words on the way, then a call or the final message."""
    parts = []
    if choice.mode != "required":
        final = lark.literal("<|channel|>final<|message|>")
        parts.append(f"{final} {CONTENT_RULE if has_constraint else TEXT}")
    for tool in tools:
        head = lark.literal(f"<|channel|>commentary to=functions.{tool.name} <|constrain|>json<|message|>")
        parts.append(f"{head} {lark.json(tool.parameters or {'type': 'object'})}")
    channels = ("analysis", "commentary") if tools and choice.mode != "required" else ("analysis",)
    on_the_way = either(*(lark.literal(f"<|channel|>{channel}<|message|>") for channel in channels))
    message = lark.rule(f"{on_the_way} {lark.until('<|end|>')} {lark.literal(_START)}")
    begun = lark.literal(_START) if layout.is_thinking else ""
    return joined(begun, f"{message}*", either(*parts))
