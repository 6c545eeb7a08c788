"""What the graphs of a Whisper model and the files beside them say of it, in the words of a manifest."""

from pathlib import Path
from typing import Any

from appliance.backends.onnx.details import num_parameters
from appliance.backends.onnx.graph import NotServable, move_weights, read_graph, weight_type
from appliance.backends.onnx.graph_view import graphs_in
from models.formats.folder_config import config_folder
from models.formats.speech_config import MODEL_TYPE, SpeechConfig, SpeechConfigError, read_speech_config
from models.formats.speech_graphs import choose_speech_graphs
from models.manifest import ModelDetails
from models.workshop import Examined

_INCOMPLETE = (
    "it is no whole Whisper model: an encoder_model.onnx is needed, and either a decoder_model_merged.onnx or "
    "decoder_model.onnx with decoder_with_past_model.onnx"
)


def examine_speech(graph: Path) -> Examined:
    """Return the details of the model that `graph` is a decoder of, its other graphs among the files with weights.

    Raises: NotServable, OSError.
    """
    folder = config_folder(graph)
    try:
        config = read_speech_config(folder)
    except SpeechConfigError as error:
        raise NotServable((str(error),)) from None
    graphs = choose_speech_graphs([path.name for path in sorted(graph.parent.glob("*.onnx"))], graph.name)
    if graphs is None or graphs.decoder != graph.name:
        raise NotServable((_INCOMPLETE,))
    files: dict[str, None] = {}
    models = {name: _read(graph.parent / name, files) for name in graphs.names}
    weights_bytes = sum((graph.parent / name).stat().st_size for name in (*graphs.names, *files))
    own = [model for name, model in models.items() if name != graphs.later]  # which repeats the first decoder
    count = sum(num_parameters(each) for model in own for each in graphs_in(model.graph))
    details = _details(config, count, weights_bytes, _weight_type(models[graph.name]))
    others = [name for name in graphs.names if name != graph.name]
    return Examined(data_files=(*others, *files), details=details)


def _details(config: SpeechConfig, count: int, weights_bytes: int, weight_type: str) -> ModelDetails:
    return ModelDetails(
        architecture=MODEL_TYPE,
        num_parameters=count,
        quantization=weight_type,
        weights_bytes=weights_bytes,
        context_length_tokens=config.max_tokens,
        embedding_length=config.num_heads * config.head_width,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        vocab_size=config.vocab_size,
        tokenizer="tokenizers",
        is_transcriber=True,
    )


def _weight_type(model: Any) -> str:
    """Return the quantization of most matrices; those of a merged decoder lie in its branches."""
    types = {weight_type(each) for each in graphs_in(model.graph)}
    return min(types - {"F32"}, default="F32")


def _read(graph: Path, files: dict[str, None]) -> Any:
    """Return the graph without its weights and add the files that hold them. Raises: NotServable, OSError."""
    model = read_graph(graph)

    def resolve(location: str) -> Path:
        files[location] = None
        return (graph.parent / location).resolve(strict=True)

    move_weights(model, resolve)
    return model
