"""Whether a prompt leaves room for an answer, by its model's vocabulary and context."""

from appliance.core.request import GenerateRequest, ReadRequest
from appliance.service.care import ModelCare
from appliance.service.vocabulary import Vocabularies

ANSWER_TOKENS = 1024
"""So much is left free for an answer whose length nobody limited; of a small context, a quarter at most."""


class Room:
    """Counts the tokens of prompts against what their models have."""

    def __init__(self, care: ModelCare, vocabularies: Vocabularies) -> None:
        self._care = care
        self._vocabularies = vocabularies

    async def fits(self, request: GenerateRequest) -> bool:
        """Return whether the prompt and an answer fit. Raises: ModelNotFound, InvalidRequest, BackendError."""
        context_tokens = self._care.model(request.model).context_tokens
        if context_tokens is None:
            return True
        read = await self._vocabularies.read(ReadRequest(id=request.id, model=request.model, prompt=request.prompt))
        answer_tokens = min(request.stop.max_tokens or ANSWER_TOKENS, context_tokens // 4)
        return read.num_tokens + answer_tokens <= context_tokens
