"""From a request to a recording that can be heard: opens it, and refuses what the model does not know.

Runs on the worker's reader thread, beside the steps; knows nothing of windows. The twin of `prompt.py`.
"""

from dataclasses import dataclass

from appliance.backends.base import SpeechTokens, Tokenizer
from appliance.core.request import Request, TranscribeRequest
from appliance.core.traits import ModelTraits
from appliance.engine.prompt import Arrival
from appliance.errors import InvalidRequest, wrong_task

from .audio import Recording


@dataclass(frozen=True, slots=True)
class PreparedRecording:
    """A request with its recording; `context` are the tokens of what could have been said before."""

    request: TranscribeRequest
    recording: Recording
    context: tuple[int, ...]
    arrival: Arrival


class RecordingReader:
    """Opens recordings for one model."""

    def __init__(self, tokenizer: Tokenizer, tokens: SpeechTokens, traits: ModelTraits) -> None:
        self._tokenizer = tokenizer
        self._tokens = tokens
        self._traits = traits

    def prepare(self, request: Request, arrival: Arrival) -> PreparedRecording:
        """Return the request with its recording. Raises: InvalidRequest, NotOffered."""
        if not isinstance(request, TranscribeRequest):
            raise wrong_task(request.model, self._traits.task)
        self._check(request)
        text = request.prompt.strip()
        context = self._tokenizer.encode(f" {text}", parse_special=False, add_bos=False).tolist() if text else []
        return PreparedRecording(request, Recording(request.audio, request.max_audio_s), tuple(context), arrival)

    def _check(self, request: TranscribeRequest) -> None:
        languages = self._tokens.languages
        if not languages and request.task == "translate":
            raise InvalidRequest(f"model '{request.model}' knows English only and does not translate", param="model")
        if request.task == "translate" and "translate" not in self._tokens.tasks:
            raise InvalidRequest(f"model '{request.model}' does not translate", param="model")
        known = languages or {"en": 0}
        if request.language is not None and request.language not in known:
            raise InvalidRequest(
                f"model '{request.model}' does not know the language {request.language!r}; it knows "
                f"{', '.join(sorted(known))}",
                param="language",
            )
