"""Our own kernels as a worker opens them."""

from collections.abc import Callable
from pathlib import Path

from appliance.backends.base import InputReader, LoadedModel, Tokenizer
from appliance.backends.tvm.limits import instruction_set_for
from appliance.core.plan import Artefact, LoadPlan
from appliance.errors import BackendError
from models.formats.folder_config import config_folder


class TvmBackend:
    """Runs decoders of the Llama family. The library is imported when a model is loaded."""

    def load(self, plan: LoadPlan, progress: Callable[[float], None]) -> LoadedModel:
        """Load a model; it is repacked and compiled now if nobody has done it before. Raises: BackendError."""
        from appliance.backends.tvm.adapter import TvmModel
        from appliance.backends.tvm.prepared import open_prepared

        instruction_set = instruction_set_for(plan.instructions)
        if instruction_set is None:
            raise BackendError("our kernels are not written for this processor")
        source, compiled = Path(plan.artefact.path), Path(plan.artefact.compiled_path)
        return TvmModel(plan, open_prepared(source, compiled, instruction_set, plan.threads_prefill, progress))

    def open_tokenizer(self, artefact: Artefact) -> Tokenizer:
        """Return the tokenizer of a folder; that of a GGUF file belongs to another backend. Raises: BackendError."""
        if artefact.format != "safetensors":
            raise BackendError(f"a {artefact.format} file's tokenizer is not read by this backend")
        from appliance.backends.tokenizer_folder import FolderTokenizer

        return FolderTokenizer(config_folder(Path(artefact.path)))

    def open_inputs(self, artefact: Artefact) -> InputReader:
        """Refuse: no encoder runs here."""
        raise BackendError("no encoder runs on this backend")
