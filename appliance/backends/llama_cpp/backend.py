"""llama.cpp as a worker opens it."""

from collections.abc import Callable

from appliance.backends.base import InputReader, LoadedEncoder, LoadedModel, Tokenizer
from appliance.backends.llama_cpp.gpu_build import hide_gpus
from appliance.backends.llama_cpp.gpus import try_gpu
from appliance.core.devices import DeviceTrial
from appliance.core.plan import Artefact, LoadPlan

_PASSED = DeviceTrial()


class LlamaCppBackend:
    """Runs GGUF files. The library is imported when something is opened: a worker of another backend has none."""

    def load(self, plan: LoadPlan, progress: Callable[[float], None]) -> LoadedModel | LoadedEncoder:
        """Load a GGUF file. Raises: BackendError, with the library's own reason."""
        trials = {gpu.name: try_gpu(gpu.name) for gpu in plan.gpus if gpu.trial is None}
        if not plan.gpu_layers or trials.get(plan.device, _PASSED).problem is not None:
            hide_gpus()
        from appliance.backends.llama_cpp.load import load

        return load(plan, trials, progress)

    def open_tokenizer(self, artefact: Artefact) -> Tokenizer:
        """Open the vocabulary in a GGUF file. Raises: BackendError, with the library's own reason."""
        hide_gpus()
        from appliance.backends.llama_cpp.tokenizer import LlamaCppTokenizer

        return LlamaCppTokenizer(artefact.path)

    def open_inputs(self, artefact: Artefact) -> InputReader:
        """Open the vocabulary in a GGUF file for an encoder. Raises: BackendError, with the library's own reason."""
        hide_gpus()
        from appliance.backends.llama_cpp.inputs import LlamaCppInputs

        return LlamaCppInputs(artefact.path)
