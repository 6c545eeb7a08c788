"""onnxruntime as a worker opens it."""

from collections.abc import Callable
from pathlib import Path

from appliance.backends.base import InputReader, LoadedEncoder, LoadedListener, LoadedModel, Tokenizer
from appliance.backends.onnx.layout import DecoderLayout
from appliance.backends.onnx.providers import ModelKind
from appliance.core.plan import Artefact, LoadPlan
from models.formats.folder_config import config_folder
from models.formats.speech_config import is_speech


class OnnxBackend:
    """Runs ONNX graphs. The library is imported when something is opened."""

    def load(self, plan: LoadPlan, progress: Callable[[float], None]) -> LoadedModel | LoadedEncoder | LoadedListener:
        """Load a model; its graph is prepared now if nobody has done it before. Raises: BackendError."""
        from appliance.backends.onnx.adapter import OnnxDecoder
        from appliance.backends.onnx.encoder import OnnxEncoder
        from appliance.backends.onnx.kv_cache import with_calibrated_cache
        from appliance.backends.onnx.prepared import folder_in, open_prepared, prepare
        from appliance.backends.onnx.provider_choice import choose_provider

        if is_speech(config_folder(Path(plan.artefact.path))):
            from appliance.backends.onnx.speech import OnnxListener

            return OnnxListener(plan, progress)
        source, folder = Path(plan.artefact.path), folder_in(Path(plan.artefact.compiled_path))
        prepared = open_prepared(source, folder) or prepare(source, folder)
        kind: ModelKind = "decoder" if isinstance(prepared.layout, DecoderLayout) else "encoder"
        choice = choose_provider(kind, plan.accelerators, plan.provider, plan.device_fallback)
        if isinstance(prepared.layout, DecoderLayout):
            if plan.kv_type == "int8":
                prepared = with_calibrated_cache(prepared, source, plan.threads_prefill)
            return OnnxDecoder(plan, prepared, progress, choice)
        return OnnxEncoder(plan, prepared, config_folder(source), progress, choice)

    def open_tokenizer(self, artefact: Artefact) -> Tokenizer:
        """Open the tokenizer that lies beside the graph. Raises: BackendError."""
        from appliance.backends.tokenizer_folder import FolderTokenizer

        return FolderTokenizer(config_folder(Path(artefact.path)))

    def open_inputs(self, artefact: Artefact) -> InputReader:
        """Open the same tokenizer for an encoder. Raises: BackendError."""
        from appliance.backends.input_folder import FolderInputs

        return FolderInputs(config_folder(Path(artefact.path)))
