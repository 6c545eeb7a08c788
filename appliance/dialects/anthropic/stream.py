"""`POST /v1/messages`, outwards: a message as a stream of blocks, each opened, added to and closed."""

from appliance.core.events import Accepted, Delta, Finished, RequestEvent, ToolCallDelta, Usage

from .events import (
    BlockAddition,
    BlockDelta,
    BlockStart,
    BlockStop,
    Ending,
    InputJsonDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    Ping,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    encode,
    sse,
)
from .message import MessageBody, Telling, TextBlock, ThinkingBlock, ToolUseBlock, tool_use_block
from .thinking import signature_of
from .usage import NO_USAGE, delta_usage_wire, usage_wire

PING = sse(Ping())
_PLACEHOLDER = "\0"


class MessageStream:
    """Writes the events of a call as the events of a message.

    The message starts with its first block, or in the first silence after its prompt was accepted: until then an error
    keeps its status. A token costs one escape of its text: what stands around it is written once for each block.
    """

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._usage: Usage | None = None
        self._ended: Finished | None = None
        self._is_started = False
        self._is_overdue = False
        self._index = -1
        self._block: str | int | None = None
        self._frame = (b"", b"")
        self._thoughts: list[str] = []

    def add(self, event: RequestEvent) -> bytes:
        """Return what to send for `event`; nothing while nothing is decided."""
        if isinstance(event, Delta):
            return self._delta(event) if self._telling.max_tokens else b""
        if isinstance(event, Finished):
            self._ended = event
        elif isinstance(event, Accepted):
            self._usage = Usage(
                prompt_tokens=event.num_prompt_tokens, cached_tokens=event.cached_tokens, completion_tokens=0
            )
            return self._start() if self._is_overdue else b""
        return b""

    def silence(self) -> bytes | None:
        """Return what keeps a silent stream open, None while there is no message yet that could be pinged."""
        self._is_overdue = True
        if self._is_started:
            return PING
        return self._start() if self._usage is not None else None

    def end(self) -> bytes:
        """Return the end of a message that is complete."""
        assert self._ended is not None, "a stream succeeds once its only choice has ended"
        reason, sequence = self._telling.ending(self._ended)
        usage = delta_usage_wire(self._telling.usage(self._ended.usage))
        delta = MessageDelta(delta=Ending(stop_reason=reason, stop_sequence=sequence), usage=usage)
        return b"".join((self._start(), self._close(), sse(delta), sse(MessageStop())))

    def _delta(self, event: Delta) -> bytes:
        parts = []
        if event.reasoning and self._telling.display != "hidden":
            parts.append(self._think(event.reasoning))
        if event.text:
            parts.append(self._say(event.text))
        parts += [self._call(call) for call in event.tool_calls]
        return b"".join(parts)

    def _think(self, thinking: str) -> bytes:
        opened = self._open("thinking", ThinkingBlock(thinking="", signature=""), ThinkingDelta(thinking=_PLACEHOLDER))
        self._thoughts.append(thinking)
        return opened + self._more(thinking) if self._telling.display == "shown" else opened

    def _say(self, text: str) -> bytes:
        return self._open("text", TextBlock(text=""), TextDelta(text=_PLACEHOLDER)) + self._more(text)

    def _call(self, call: ToolCallDelta) -> bytes:
        block = tool_use_block(call.id or "", call.name or "", "")
        opened = self._open(call.index, block, InputJsonDelta(partial_json=_PLACEHOLDER))
        return opened + self._more(call.arguments) if call.arguments else opened

    def _open(self, key: str | int, block: TextBlock | ThinkingBlock | ToolUseBlock, addition: BlockAddition) -> bytes:
        """Return the beginning of the block `key`, after the end of the one before; nothing while it goes on.

        `addition` is what adds to it, with a place for the text.
        """
        if key == self._block:
            return b""
        before = self._start() + self._close()
        self._block = key
        self._index += 1
        head, _, tail = sse(BlockDelta(index=self._index, delta=addition)).partition(encode(_PLACEHOLDER))
        self._frame = head, tail
        return before + sse(BlockStart(index=self._index, content_block=block))

    def _more(self, text: str) -> bytes:
        head, tail = self._frame
        return b"".join((head, encode(text), tail))

    def _close(self) -> bytes:
        """Return the end of the open block, if there is one; a signature ends what was thought."""
        if self._block is None:
            return b""
        stop = sse(BlockStop(index=self._index))
        if self._block == "thinking":
            signature = signature_of("".join(self._thoughts), self._telling.display)
            self._thoughts.clear()
            stop = sse(BlockDelta(index=self._index, delta=SignatureDelta(signature=signature))) + stop
        self._block = None
        return stop

    def _start(self) -> bytes:
        """Return the beginning of the message and a first ping, once."""
        if self._is_started:
            return b""
        self._is_started = True
        body = MessageBody(
            id=self._telling.id,
            model=self._telling.model,
            content=(),
            stop_reason=None,
            stop_sequence=None,
            usage=usage_wire(self._usage or NO_USAGE),
        )
        return sse(MessageStart(message=body)) + PING
