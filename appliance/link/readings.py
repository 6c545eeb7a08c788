"""Prompts that one process was given to read, and who waits for what it read. Knows no process."""

import asyncio
from collections.abc import Callable, Sequence

from appliance.core.events import Failed, PromptRead
from appliance.core.messages import FromWorker, ToWorker
from appliance.core.request import ReadRequest, RequestId
from appliance.errors import from_info


class Readings:
    """Owns the waiting callers. All methods belong to the event loop's thread."""

    def __init__(self) -> None:
        self._waiting: dict[RequestId, asyncio.Future[PromptRead | None]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits."""
        return not self._waiting

    async def ask(self, request: ReadRequest, send: Callable[[Sequence[ToWorker]], None]) -> PromptRead | None:
        """Return the answer, or None when the process ended before. Raises: what reading the prompt raised."""
        answer: asyncio.Future[PromptRead | None] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = answer
        send([request])
        try:
            return await answer
        finally:
            del self._waiting[request.id]

    def take(self, message: FromWorker) -> None:
        """Give an answer to its caller. One that left in the meantime gets none; other messages are passed over."""
        answer = self._waiting.get(message.id) if isinstance(message, PromptRead | Failed) else None
        if answer is None or answer.done():
            return
        if isinstance(message, Failed):
            answer.set_exception(from_info(message.error))
        else:
            assert isinstance(message, PromptRead)
            answer.set_result(message)

    def end(self) -> None:
        """Tell everybody that the process is gone."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(None)
