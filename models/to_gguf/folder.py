"""A folder as Hugging Face keeps models, made into a GGUF file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from models.formats.gguf_writer import Tensor, Value, write_gguf
from models.formats.model_card import read_licence
from models.formats.quantize import Floats
from models.formats.summary import FILE_TYPE_NUMBERS
from models.formats.tensor_types import type_named
from models.to_gguf.network import read_network
from models.to_gguf.vocabulary import vocabulary_metadata
from models.to_gguf.weights import gguf_tensors, own_precision, read_stored

_QUANTIZATION_VERSION = 2  # ggml.h, GGML_QNT_VERSION


@dataclass(frozen=True, slots=True)
class Conversion:
    """All that goes into the file; the numbers are read when they are written."""

    precision: str
    metadata: dict[str, Value]
    tensors: list[Tensor]

    @property
    def size_bytes(self) -> int:
        """Return about how large the file will be."""
        return sum(type_named(each.tensor_type).size_bytes(each.shape) for each in self.tensors)

    def write(self, path: Path, progress: Callable[[int], None]) -> None:
        """Write the file, all of it or nothing; `progress` is told bytes. Raises: NotConvertible, OSError."""
        done_bytes = 0

        def counted(tensor: Tensor) -> Callable[[], Iterator[Floats]]:
            def chunks() -> Iterator[Floats]:
                nonlocal done_bytes
                kind = type_named(tensor.tensor_type)
                for values in tensor.chunks():
                    yield values
                    done_bytes += kind.size_bytes(values.shape)
                    progress(done_bytes)

            return chunks

        write_gguf(
            path,
            self.metadata,
            [Tensor(each.name, each.shape, each.tensor_type, counted(each)) for each in self.tensors],
        )


def plan_conversion(folder: Path, precision: str | None = None, name: str | None = None) -> Conversion:
    """Return what the folder's file will be; without a precision, one that loses nothing. Raises: NotConvertible."""
    network = read_network(folder)
    stored = read_stored(folder)
    chosen = precision or own_precision(stored)
    tensors = gguf_tensors(network, stored, chosen)
    licence = read_licence(folder)
    metadata: dict[str, Value] = {
        "general.architecture": network.architecture,
        "general.name": name or folder.name,
        **({"general.license": licence} if licence else {}),
        "general.file_type": FILE_TYPE_NUMBERS[chosen],
        "general.quantization_version": _QUANTIZATION_VERSION,
        **network.metadata(),
        **vocabulary_metadata(folder, network.vocab_size),
    }
    return Conversion(chosen, metadata, tensors)
