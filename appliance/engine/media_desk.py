"""Where requests with media are prepared: on a thread of its own, since looking at a picture takes seconds.

Meanwhile the steps go on, and others' prompts are read. A request that is cancelled here never reaches the engine.
"""

import queue
import threading
from collections.abc import Callable

from appliance.core.request import ChatPrompt, GenerateRequest, ReadRequest, Request, RequestId

Prepare = Callable[[], Callable[[], None]]
"""Returns what is to be done with the result, if it is still wanted."""


def has_media(request: Request | ReadRequest) -> bool:
    """Return whether there is anything but text in the prompt."""
    return (
        isinstance(request, GenerateRequest | ReadRequest)
        and isinstance(request.prompt, ChatPrompt)
        and any(message.media for message in request.prompt.messages)
    )


class MediaDesk:
    """One thread and its queue. `take` and `cancel` are for one other thread."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[RequestId, Prepare]] = queue.SimpleQueue()
        self._wanted: set[RequestId] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def take(self, request_id: RequestId, prepare: Prepare) -> None:
        """Prepare a request soon, after those that came before it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="media", daemon=True)
            self._thread.start()
        with self._lock:
            self._wanted.add(request_id)
        self._queue.put((request_id, prepare))

    def cancel(self, request_id: RequestId) -> None:
        """Forget a request that is not prepared yet."""
        with self._lock:
            self._wanted.discard(request_id)

    def _work(self) -> None:
        while True:
            request_id, prepare = self._queue.get()
            if request_id not in self._wanted:
                continue
            deliver = prepare()
            with self._lock:  # a cancellation comes either before this, or to the engine
                if request_id in self._wanted:
                    self._wanted.remove(request_id)
                    deliver()
