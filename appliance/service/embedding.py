"""The embedding of one text, for the daemon's own use."""

import math
import uuid
from array import array
from operator import mul

from appliance.core.caller import LOCAL
from appliance.core.request import EncodeRequest, RequestId, TextPrompt
from appliance.dialects.rows import Rows
from appliance.scheduler.loop import SchedulerLoop
from appliance.service.installed import Installed


class Embedder:
    """Asks a model that makes embeddings, which is loaded for it like any other."""

    def __init__(self, scheduler: SchedulerLoop, installed: Installed, model: str) -> None:
        self._scheduler = scheduler
        self._installed = installed
        self._model = model

    async def embed(self, text: str) -> bytes:
        """Return the embedding of a text as 32-bit floats of length 1; of a long text, that of its beginning.

        Raises: ApplianceError.
        """
        request = EncodeRequest(
            id=RequestId(uuid.uuid4().hex),
            model=self._installed.resolve_for("embed", self._model),
            task="embed",
            inputs=(TextPrompt(text=text),),
            truncates=True,
            priority="interactive",
        )
        rows = Rows(1)
        async for event in self._scheduler.submit(request, LOCAL):
            rows.add(event)
        vector = array("f", bytes(rows.in_order()[0]))
        length = math.sqrt(sum(map(mul, vector, vector))) or 1.0
        return array("f", [value / length for value in vector]).tobytes()
