"""Find the files of a Hugging Face folder with weights in safetensors, and say what the model is.

Links are not followed here: a cache keeps the files' names in its links.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from models.errors import StoreError, file_errors
from models.finding.found import Found, FoundFile
from models.finding.onnx_folder import stem_of
from models.formats.folder_config import CONFIG_FILES, read_chat_template, read_folder_config, read_json
from models.formats.model_card import read_licence
from models.formats.safetensors import SafetensorsError, SafetensorsTensor
from models.formats.safetensors_files import INDEX_FILE, SUFFIX, bytes_by_type, has_weights, read_tensors, weight_files
from models.manifest import ModelDetails


def holds_safetensors(path: Path) -> bool:
    """Return whether a path is of such a model: one of its files, or a folder that holds no graph. Raises: OSError."""
    if not path.is_dir():
        return path.name.endswith((SUFFIX, INDEX_FILE))
    return has_weights(path) and not any(next((path / part).glob("*.onnx"), None) for part in (".", "onnx"))


def find_safetensors(path: Path) -> Found:
    """Find the model of a folder, or of one of its files. Raises: StoreError."""
    with file_errors(path):
        folder = (path if path.is_dir() else path.parent).resolve(strict=True)
        if not (folder / "tokenizer.json").is_file():
            raise StoreError(f"{folder} has no tokenizer.json, without which the model reads no text")
        try:
            weights = weight_files(folder)
            tensors = [tensor for _, tensor in read_tensors(weights).values()]
        except SafetensorsError as error:
            raise StoreError(f"{folder} is no usable folder of safetensors: {error}") from error
        files = [*weights, *(folder / name for name in (INDEX_FILE, *CONFIG_FILES) if (folder / name).is_file())]
        found = tuple(FoundFile(file, file.relative_to(folder).as_posix()) for file in files)
        return Found("safetensors", found, stem_of(folder), _details(folder, tensors))


def _details(folder: Path, tensors: Sequence[SafetensorsTensor]) -> ModelDetails:
    config, sizes = read_folder_config(folder), bytes_by_type(tensors)
    layers, kv_heads = config.num_layers, config.num_kv_heads
    return ModelDetails(
        architecture=config.architecture,
        licence=read_licence(folder),
        num_parameters=sum(math.prod(tensor.shape) for tensor in tensors),
        quantization=max(sizes, key=lambda dtype: sizes[dtype], default=None),
        weights_bytes=sum(sizes.values()),
        context_length_tokens=config.context_length_tokens,
        embedding_length=config.embedding_length,
        num_layers=layers,
        num_heads=config.num_heads,
        num_kv_heads=kv_heads,
        total_kv_heads=layers * kv_heads if layers is not None and kv_heads is not None else None,
        key_length=config.head_width,
        value_length=config.head_width,
        feed_forward_length=config.feed_forward_length,
        vocab_size=config.vocab_size,
        tokenizer="tokenizers",
        has_chat_template=read_chat_template(folder) is not None,
        num_experts=_num_experts(folder),
    )


def _num_experts(folder: Path) -> int | None:
    config = read_json(folder / "config.json")
    counts = [config.get(name) for name in ("num_local_experts", "num_experts", "n_routed_experts")]
    return next((count for count in counts if isinstance(count, int) and count > 0), None)
