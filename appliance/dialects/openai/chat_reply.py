"""`POST /v1/chat/completions`, outwards: what became of a call as one whole answer or as chunks."""

from collections.abc import Sequence

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from appliance.core.events import Finished, TokenLogprob, ToolCallDelta
from appliance.core.request import RequestId, ToolCall
from appliance.dialects.answer import Answer
from appliance.dialects.answer import Choice as Said
from appliance.dialects.custom_tools import InputReader, input_of

from .chat_wire import (
    AnswerMessage,
    CallWire,
    ChatChunk,
    ChatCompletion,
    ChatShape,
    Choice,
    ChunkChoice,
    ChunkDelta,
    CustomSaid,
    FunctionSaid,
)
from .logprobs import ChatLogprobs, chat_logprobs
from .reply import Timing, encode, present
from .usage import UsageWire, timings_wire, usage_wire

_PLAIN = ChatShape()


def chat_completion(answer: Answer, id: RequestId, model: str, created_s: int, shape: ChatShape = _PLAIN) -> bytes:
    """Return the body of the response to a chat request."""
    choices = [
        Choice(
            index=index,
            message=_message(choice, shape),
            logprobs=chat_logprobs(choice.logprobs) if choice.logprobs else None,
            finish_reason=_reason(choice.reason, shape),
        )
        for index, choice in enumerate(answer.choices)
    ]
    return encode(
        ChatCompletion(
            id=f"chatcmpl-{id}",
            created=created_s,
            model=model,
            choices=choices,
            usage=usage_wire(answer.usage),
            metadata=shape.metadata,
            service_tier=shape.service_tier,
            timings=timings_wire(answer.first.usage, answer.first.timings),
        )
    )


class ChatChunks:
    """Writes the chunks of a chat stream."""

    def __init__(
        self, id: RequestId, model: str, created_s: int, *, includes_usage: bool, shape: ChatShape = _PLAIN
    ) -> None:
        self._id, self._model, self._created_s, self._shape = f"chatcmpl-{id}", model, created_s, shape
        self._no_usage: UnsetType | None = None if includes_usage else UNSET
        self._num_opened = 0
        self._inputs: dict[tuple[int, int], InputReader] = {}

    def opening(self, choice: int) -> list[bytes]:
        """Return the chunks that say who speaks; OpenAI's library must meet the choices in order."""
        opened = range(self._num_opened, choice + 1)
        self._num_opened = max(self._num_opened, choice + 1)
        return [self._chunk(index, ChunkDelta(role="assistant", content="", refusal=None)) for index in opened]

    def said(
        self, choice: int, text: str, reasoning: str, logprobs: Sequence[TokenLogprob | None], timings: Timing
    ) -> bytes:
        """Return a chunk with more text or more thinking."""
        shown = present(reasoning if self._shape.shows_reasoning else "")
        content = UNSET if shown is not UNSET and not text else text
        delta = ChunkDelta(content=content, reasoning_content=shown, reasoning=shown)
        return self._chunk(choice, delta, logprobs=chat_logprobs(logprobs) if logprobs else None, timings=timings)

    def call(self, choice: int, call: ToolCallDelta) -> list[bytes]:
        """Return the chunks of what came of a call: its head without arguments, and arguments without a head."""
        if self._shape.is_legacy:
            deltas = [ChunkDelta(function_call=said) for said in _function_call(call)]
        else:
            deltas = [ChunkDelta(tool_calls=(wire,)) for wire in self._tool_call(choice, call)]
        return [self._chunk(choice, delta) for delta in deltas]

    def last(self, finished: Finished, timings: Timing) -> bytes:
        """Return the chunk that ends a choice."""
        reason = _reason(finished.reason, self._shape)
        return self._chunk(finished.choice, ChunkDelta(), finish_reason=reason, timings=timings)

    def usage(self, usage: UsageWire) -> bytes:
        """Return the chunk without choices that counts the tokens."""
        return self._encode((), usage, UNSET)

    def _tool_call(self, choice: int, call: ToolCallDelta) -> list[CallWire]:
        wires, key = [], (choice, call.index)
        if call.name in self._shape.custom_tools:
            self._inputs[key] = InputReader()
        reader = self._inputs.get(key)
        if call.name is not None:
            wires.append(_call_wire(call.id or "", call.name, "", is_custom=reader is not None, index=call.index))
        more = call.arguments if reader is None else reader.add(call.arguments)
        if more and reader is None:
            wires.append(CallWire(index=call.index, function=FunctionSaid(arguments=more)))
        elif more:
            wires.append(CallWire(index=call.index, custom=CustomSaid(input=more)))
        return wires

    def _chunk(
        self,
        index: int,
        delta: ChunkDelta,
        *,
        logprobs: ChatLogprobs | None = None,
        finish_reason: str | None = None,
        timings: Timing = UNSET,
    ) -> bytes:
        choice = ChunkChoice(index=index, delta=delta, logprobs=logprobs, finish_reason=finish_reason)
        return self._encode((choice,), self._no_usage, timings)

    def _encode(self, choices: tuple[ChunkChoice, ...], usage: UsageWire | UnsetType | None, timings: Timing) -> bytes:
        return encode(
            ChatChunk(
                id=self._id,
                created=self._created_s,
                model=self._model,
                choices=choices,
                usage=usage,
                service_tier=self._shape.service_tier,
                timings=timings,
            )
        )


def _message(said: Said, shape: ChatShape) -> AnswerMessage:
    """Return the assistant's turn; where there is nothing but calls, its content is null."""
    calls, reasoning = said.tool_calls, present(said.reasoning if shape.shows_reasoning else "")
    message = AnswerMessage(
        content=(said.text or None) if calls else said.text, reasoning_content=reasoning, reasoning=reasoning
    )
    if not calls:
        return message
    if shape.is_legacy:
        function = FunctionSaid(name=calls[0].name, arguments=calls[0].arguments)
        return replace(message, function_call=function)
    return replace(message, tool_calls=[_whole_call(call, shape) for call in calls])


def _whole_call(call: ToolCall, shape: ChatShape) -> CallWire:
    is_custom = call.name in shape.custom_tools
    said = input_of(call.arguments) if is_custom else call.arguments
    return _call_wire(call.id, call.name, said, is_custom=is_custom)


def _call_wire(id: str, name: str, said: str, *, is_custom: bool, index: int | UnsetType = UNSET) -> CallWire:
    if is_custom:
        return CallWire(index=index, id=id, type="custom", custom=CustomSaid(name=name, input=said))
    return CallWire(index=index, id=id, type="function", function=FunctionSaid(name=name, arguments=said))


def _function_call(call: ToolCallDelta) -> list[FunctionSaid]:
    """Return what came of a legacy call, of which there is only one."""
    if call.index > 0:
        return []
    head = [] if call.name is None else [FunctionSaid(name=call.name, arguments="")]
    return head + ([FunctionSaid(arguments=call.arguments)] if call.arguments else [])


def _reason(reason: str, shape: ChatShape) -> str:
    return "function_call" if reason == "tool_calls" and shape.is_legacy else reason
