"""The child process that takes an ONNX model in: `examine GRAPH` prints what it is, `prepare GRAPH FOLDER` prepares it.

Started by `workshop`; what it refuses, it says in the last line of standard error.
"""

import argparse
import sys
from pathlib import Path

import msgspec

from appliance.backends.onnx.details import read_details
from appliance.backends.onnx.encoder_graph import encoder_details, is_encoder
from appliance.backends.onnx.graph import NotServable, move_weights, prepare_decoder, read_graph
from appliance.backends.onnx.loaded_size import loaded_bytes
from appliance.backends.onnx.prepared import folder_in, prepare
from appliance.backends.onnx.speech_details import examine_speech
from appliance.backends.onnx.workshop import REFUSED
from appliance.errors import BackendError
from models.formats.folder_config import config_folder, read_folder_config
from models.formats.speech_config import is_speech
from models.workshop import Examined


def examine(graph: Path) -> Examined:
    """Return the model's details and the files with its weights. Raises: NotServable, OSError."""
    if is_speech(config_folder(graph)):
        return examine_speech(graph)
    model = read_graph(graph)
    config = read_folder_config(config_folder(graph))
    locations: dict[str, None] = {}

    def resolve(location: str) -> Path:
        locations[location] = None
        return (graph.parent / location).resolve(strict=True)

    move_weights(model, resolve)
    weights_bytes = sum((graph.parent / name).stat().st_size for name in locations)
    details = read_details(model, graph, config, weights_bytes or graph.stat().st_size)
    if is_encoder(model):
        details = msgspec.structs.replace(details, loaded_bytes=loaded_bytes(model.graph))
        return Examined(data_files=tuple(locations), details=encoder_details(model, graph, details))
    layout = prepare_decoder(model, config.head_width)
    details = msgspec.structs.replace(
        details,
        quantization=layout.weight_type,
        loaded_bytes=loaded_bytes(model.graph),
        total_kv_heads=sum(layer.num_heads for layer in layout.layers),
        key_length=max(layer.head_width for layer in layout.layers),
        value_length=max(layer.head_width for layer in layout.layers),
        vocab_size=layout.vocab_size,
    )
    return Examined(data_files=tuple(locations), details=details)


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("examine", "prepare"):
        verbs.add_parser(verb).add_argument("graph", type=Path)
    verbs.choices["prepare"].add_argument("folder", type=Path)
    arguments = parser.parse_args()
    try:
        if arguments.verb == "prepare":
            if is_speech(config_folder(arguments.graph)):
                return  # its graphs are served as they came
            prepare(arguments.graph, folder_in(arguments.folder))
        else:
            sys.stdout.buffer.write(msgspec.json.encode(examine(arguments.graph)))
    except (NotServable, BackendError, OSError) as error:
        reason = (
            f"{arguments.graph}: {error.filename} is missing" if isinstance(error, FileNotFoundError) else str(error)
        )
        sys.stderr.write(" ".join(reason.split()) + "\n")
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()
