"""One request of a batch, asked of the daemon like any client's until it is answered or refused for good."""

import random
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from appliance.client.transport import ClientError, NoDaemon, Transport
from appliance.core.batches import BatchEndpoint

from .results import Response, Result

MAX_TRIES = 8
MAX_PAUSE_S = 60.0
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504, None})
"""After these the same request may succeed; None: the connection broke."""


class Asker:
    """Asks at one endpoint. Any thread may."""

    def __init__(
        self, transport: Transport, endpoint: BatchEndpoint, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._transport = transport
        self._endpoint = endpoint
        self._sleep = sleep

    def ask(self, custom_id: str, body: Mapping[str, Any]) -> Result:
        """Return the answer, or the refusal. Raises: NoDaemon, where nobody answers any more."""
        request_id = f"batch_req_{uuid.uuid4().hex}"
        lowest = {**body, "priority": "batch", "stream": False}
        for number in range(1, MAX_TRIES + 1):
            try:
                answer = self._transport.send("POST", self._endpoint, lowest)
                response = Response(status_code=200, request_id=request_id, body=msgspec.Raw(answer))
                return Result(id=request_id, custom_id=custom_id, response=response)
            except NoDaemon:
                raise
            except ClientError as error:
                refusal = error
            if refusal.status not in _AGAIN or number == MAX_TRIES:
                break
            self._sleep(pause_s(number, refusal.retry_after_s))
        return Result(id=request_id, custom_id=custom_id, response=_refused(refusal, request_id))


def pause_s(num_tries: int, retry_after_s: float | None) -> float:
    """Return how long to wait before the next try: twice as long each time, and never all at the same moment."""
    least = min(MAX_PAUSE_S, 2.0 ** (num_tries - 1)) if retry_after_s is None else min(MAX_PAUSE_S, retry_after_s)
    return least * random.uniform(1.0, 1.5)  # noqa: S311  (it spreads load, it hides nothing)


def _refused(error: ClientError, request_id: str) -> Response:
    body = {"error": {"message": str(error), "code": error.code, "type": "invalid_request_error", "param": None}}
    return Response(status_code=error.status or 502, request_id=request_id, body=msgspec.Raw(msgspec.json.encode(body)))
