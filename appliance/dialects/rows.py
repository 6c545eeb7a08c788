"""What becomes of a request for rows of numbers, whichever dialect it was spoken in."""

import struct
from typing import Literal

from appliance.core.events import Encoded, Finished, RequestEvent


class Rows:
    """Gathers the rows of one request, which come in any order."""

    def __init__(self, num_inputs: int) -> None:
        self._rows = [memoryview(b"")] * num_inputs
        self.num_prompt_tokens = 0
        self.kind: Literal["embedding", "relevance", "cosine"] | None = None

    def add(self, event: RequestEvent) -> None:
        """Take the next event."""
        if isinstance(event, Encoded):
            self.kind = event.kind
            row_bytes = len(event.data) // len(event.indices)
            data = memoryview(event.data)
            for place, index in enumerate(event.indices):
                self._rows[index] = data[place * row_bytes : (place + 1) * row_bytes]
        elif isinstance(event, Finished):
            self.num_prompt_tokens = event.usage.prompt_tokens

    def in_order(self) -> list[memoryview]:
        """Return the bytes of every row, 32-bit floats in little-endian order."""
        return self._rows

    def scores(self) -> list[float]:
        """Return the only number of every row."""
        return [value for row in self._rows for value in struct.unpack("<f", row)]
