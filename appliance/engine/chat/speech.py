"""How one model is spoken to and understood: its template, what that can render, and the family it belongs to.

Owns the way from a conversation to the prompt, and what is needed to read the answer. Knows nothing of sequences.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from appliance.backends.base import Tokenizer
from appliance.core.request import ChatPrompt, Tool
from appliance.engine.tool_schemas import enforceable
from appliance.errors import InvalidRequest

from .abilities import find_abilities
from .conversation import as_variables, called_tools, thinking_variables
from .families import GENERIC
from .family_choice import family_of
from .parser import AnswerParser
from .syntax import Family
from .template import ChatTemplate
from .tool_grammar import Layout, answer_grammar

_FINAL_HEADER = "<|channel|>final<|message|>"
_CUT = "⟦cut⟧"
"""Stands behind the words that the assistant goes on with, so that the prompt can be cut there."""


@dataclass(frozen=True, slots=True)
class Speech:
    """What one request needs to have its answer read. Its choices share it.

    `opening` is what the prompt itself wrote of the answer. `markers` are the control tokens that are shown to the
    parser, with their text. `tools_grammar` is Lark for the answer, from where the prompt's own thinking ends; with a
    constraint it refers to a rule `content`. `thinking_end` are the tokens that end the thinking in the model's place,
    none where it cannot be ended; that is due after `max_thinking_tokens`.
    """

    family: Family
    tools: tuple[Tool, ...]
    is_parallel: bool
    opening: str
    markers: Mapping[int, bytes]
    tools_grammar: str | None
    thinking_end: tuple[int, ...]
    max_thinking_tokens: int | None

    def parser(self) -> AnswerParser:
        """Return a parser for one choice."""
        return AnswerParser(self.family, self.tools, is_parallel=self.is_parallel, opening=self.opening)


class ChatFormat:
    """One model's way to speak."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Raises: BackendError when the template cannot be read."""
        bos_text = "" if tokenizer.bos_id is None else tokenizer.special_text(tokenizer.bos_id)
        eos_text = next((tokenizer.special_text(token) for token in sorted(tokenizer.eos_ids)), "")
        self.bos_text = bos_text
        self._source = tokenizer.chat_template or ""
        self._template = ChatTemplate(tokenizer.chat_template, bos_text, eos_text)
        abilities, family = find_abilities(self._template), family_of(tokenizer.chat_template)
        if family is GENERIC or not abilities.tools:  # a way to call that cannot be read, or that is not told of
            abilities = replace(abilities, tools=False, calls=False, results=False)
        self._abilities = abilities
        self._family = family if self._abilities.tools or family.has_channels else _told_of_tools(family)
        self._tokenizer = tokenizer
        self._control = self._control_tokens(_markers(self._family))
        self._thinking_end = () if self._family.thinking is None else self._tokens(self._family.thinking.closing)

    @property
    def is_fallback(self) -> bool:
        """Whether the model brings no template."""
        return self._template.is_fallback

    def render(self, prompt: ChatPrompt) -> str:
        """Return the conversation as text. Raises: InvalidRequest, BackendError."""
        if prompt.continues_last:
            return self._continued(prompt)
        rendered = self._rendered(prompt)
        thinking = self._family.thinking
        if thinking is None or not _is_off(prompt):
            return rendered
        if self._family.has_channels:
            return rendered if called_tools(prompt) else rendered + _FINAL_HEADER
        return rendered + thinking.closing if rendered.rstrip().endswith(thinking.open) else rendered

    def speech(self, prompt: ChatPrompt, rendered: str, *, has_constraint: bool) -> Speech:
        """Return how the answer to a rendered prompt is read. Raises: InvalidRequest."""
        family, tools = self._family, called_tools(prompt)
        opening = self._opening(prompt, rendered)
        return Speech(
            family=family,
            tools=tools,
            is_parallel=prompt.tool_choice.is_parallel,
            opening=opening,
            markers=self._shown(has_tools=bool(tools)),
            tools_grammar=self._grammar(prompt, opening, has_constraint=has_constraint),
            thinking_end=self._thinking_end,
            max_thinking_tokens=None if family.thinking is None else prompt.reasoning.max_tokens,
        )

    def _grammar(self, prompt: ChatPrompt, opening: str, *, has_constraint: bool) -> str | None:
        family, choice = self._family, prompt.tool_choice
        is_thinking = bool(opening) and AnswerParser(family, opening=opening).is_thinking
        may_think = not (opening or _is_off(prompt)) and self._may_think(prompt, has_constraint=has_constraint)
        is_final = family.has_channels and bool(opening) and not is_thinking
        layout = Layout(family, self._control, may_think=may_think, is_thinking=is_thinking, is_final=is_final)
        tools = enforceable(called_tools(prompt), choice)
        return answer_grammar(layout, tools, choice, has_constraint=has_constraint)

    def _shown(self, *, has_tools: bool) -> dict[int, bytes]:
        """Return the control tokens that the parser has to see: those of calls only where there can be any."""
        thinking = self._family.thinking
        always = "" if thinking is None else thinking.open + thinking.close
        return {
            token: text.encode()
            for text, token in self._control.items()
            if has_tools or self._family.has_channels or text in always
        }

    def _may_think(self, prompt: ChatPrompt, *, has_constraint: bool) -> bool:
        """Return whether a grammar leaves room for a thought: what has to come is only held up for a sure thinker.

        Templates of models that never think write earlier thoughts, too, but only a thinker's can switch it off.
        """
        thinking = self._family.thinking
        if thinking is None or thinking.open not in self._source:
            return False
        return "enable_thinking" in self._source or not (has_constraint or prompt.tool_choice.mode == "required")

    def _rendered(self, prompt: ChatPrompt, **extra: Any) -> str:
        variables = {**thinking_variables(prompt.reasoning, self._source), **prompt.template_kwargs, **extra}
        messages, tools = as_variables(prompt, self._abilities, self._family)
        return self._template.render(messages, variables, tools or ([] if self._abilities.wants_list else None))

    def _continued(self, prompt: ChatPrompt) -> str:
        """Return the conversation up to the last word of its last message, which nothing ends."""
        if not prompt.messages or prompt.messages[-1].role != "assistant":
            raise InvalidRequest("only a message of the assistant can be continued; the last is not", param="messages")
        *before, last = prompt.messages
        asked = msgspec.structs.replace(prompt, messages=tuple(before), continues_last=False)
        thinking = self._family.thinking
        if not last.content:
            rendered = self.render(asked)
            if not last.reasoning or thinking is None:
                return rendered
            is_open = rendered.rstrip().endswith(thinking.open)
            return f"{rendered}{'' if is_open else thinking.opening}{last.reasoning}"
        marked = msgspec.structs.replace(last, content=last.content + _CUT)
        rendered = self._rendered(
            msgspec.structs.replace(prompt, messages=(*before, marked)), add_generation_prompt=False
        )
        found = rendered.rfind(_CUT)
        return rendered[:found] if found >= 0 else self._rendered(asked) + last.content

    def _opening(self, prompt: ChatPrompt, rendered: str) -> str:
        """Return what the prompt wrote of the answer, as far as reading it depends on that."""
        thinking = self._family.thinking
        if prompt.continues_last and (last := prompt.messages[-1]).content:
            return f"{_FINAL_HEADER if self._family.has_channels else ''}{last.content}"
        if thinking is None:
            return ""
        if prompt.continues_last and last.reasoning:
            return f"{thinking.open}{last.reasoning}"
        openings = (thinking.open, _FINAL_HEADER) if self._family.has_channels else (thinking.open,)
        return next((opening for opening in openings if rendered.rstrip().endswith(opening)), "")

    def _control_tokens(self, texts: Iterable[str]) -> dict[str, int]:
        """Return those of the texts that are one control token, which stands for no bytes."""
        known = {}
        for text in texts:
            for token in self._tokens(text):
                if self._tokenizer.special_text(token) == text and not self._tokenizer.token_bytes(token):
                    known[text] = token
        return known

    def _tokens(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, parse_special=True, add_bos=False).tolist())


def _is_off(prompt: ChatPrompt) -> bool:
    return prompt.reasoning.effort == "none" or prompt.reasoning.max_tokens == 0


def _told_of_tools(family: Family) -> Family:
    """Return the family with the generic way to call first, since that is the one it is told of."""
    calls = dict.fromkeys((*GENERIC.calls, *family.calls))
    return replace(family, calls=tuple(calls), has_bare_calls=True)


def _markers(family: Family) -> list[str]:
    """Return every text that is a marker, or a part of one."""
    thinking = () if family.thinking is None else (family.thinking.open, family.thinking.close)
    return [*family.markers, *thinking, *(text for calls in family.calls for text in (calls.open, calls.close) if text)]
