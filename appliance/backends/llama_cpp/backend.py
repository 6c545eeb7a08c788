"""llama.cpp as a worker opens it."""

from collections.abc import Callable

from appliance.backends.base import InputReader, LoadedEncoder, LoadedModel, Tokenizer
from appliance.core.plan import Artefact, LoadPlan


class LlamaCppBackend:
    """Runs GGUF files. The library is imported when something is opened: a worker of another backend has none."""

    def load(self, plan: LoadPlan, progress: Callable[[float], None]) -> LoadedModel | LoadedEncoder:
        """Load a GGUF file. Raises: BackendError, with the library's own reason."""
        from appliance.backends.llama_cpp.adapter import LlamaCppModel
        from appliance.backends.llama_cpp.encoder import LlamaCppEncoder, pooling_of
        from appliance.backends.llama_cpp.library import load_model

        model = load_model(plan.artefact.path, gpu_layers=plan.gpu_layers, progress=progress)
        pooling = pooling_of(model)
        return LlamaCppModel(plan, model) if pooling is None else LlamaCppEncoder(plan, model, pooling)

    def open_tokenizer(self, artefact: Artefact) -> Tokenizer:
        """Open the vocabulary in a GGUF file. Raises: BackendError, with the library's own reason."""
        from appliance.backends.llama_cpp.tokenizer import LlamaCppTokenizer

        return LlamaCppTokenizer(artefact.path)

    def open_inputs(self, artefact: Artefact) -> InputReader:
        """Open the vocabulary in a GGUF file for an encoder. Raises: BackendError, with the library's own reason."""
        from appliance.backends.llama_cpp.inputs import LlamaCppInputs

        return LlamaCppInputs(artefact.path)
