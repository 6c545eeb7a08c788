"""llama.cpp as a worker opens it."""

from collections.abc import Callable

from appliance.backends.base import LoadedModel, Tokenizer
from appliance.core.plan import Artefact, LoadPlan


class LlamaCppBackend:
    """Runs GGUF files. The library is imported when something is opened: a worker of another backend has none."""

    def load(self, plan: LoadPlan, progress: Callable[[float], None]) -> LoadedModel:
        """Load a GGUF file. Raises: BackendError, with the library's own reason."""
        from appliance.backends.llama_cpp.adapter import LlamaCppModel

        return LlamaCppModel(plan, progress)

    def open_tokenizer(self, artefact: Artefact) -> Tokenizer:
        """Open the vocabulary in a GGUF file. Raises: BackendError, with the library's own reason."""
        from appliance.backends.llama_cpp.tokenizer import LlamaCppTokenizer

        return LlamaCppTokenizer(artefact.path)
