"""One GGUF file quantized into another by the library, and what it did in words."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.backends.llama_cpp import library
from appliance.backends.llama_cpp.library import native
from appliance.backends.llama_cpp.types import SOURCE_TYPES
from appliance.errors import BackendError
from models.formats.gguf import TensorInfo, read_gguf
from models.formats.summary import FILE_TYPE_NUMBERS
from models.formats.tensor_types import TENSOR_TYPE_NUMBERS, type_named

_LOOK_EVERY_S = 0.2


def quantize_file(
    source: Path,
    target: Path,
    type_name: str,
    *,
    num_threads: int,
    allows_quantized: bool,
    progress: Callable[[int], None],
) -> str:
    """Write the quantized file and say how it was done; `progress` is told bytes. Raises: BackendError."""
    params = native.llama_model_quantize_default_params()
    params.nthread = num_threads
    params.ftype = FILE_TYPE_NUMBERS[type_name]
    params.allow_requantize = allows_quantized
    with _watched(target, progress):
        status = native.llama_model_quantize(str(source).encode(), str(target).encode(), params)
    if status != 0:
        target.unlink(missing_ok=True)
        raise BackendError(library.failure(f"llama.cpp cannot quantize {source.name} to {type_name}"))
    return method_in_words(type_name, read_gguf(target).tensors)


def method_in_words(type_name: str, tensors: tuple[TensorInfo, ...]) -> str:
    """Return what the matrices became, and which of them are not of the type for want of rows that divide."""
    matrices = [tensor for tensor in tensors if len(tensor.shape) > 1]
    counts = Counter(tensor.type for tensor in matrices)
    words = f"{type_name} ({', '.join(f'{number} {kind}' for kind, number in counts.most_common())})"
    largest_block = max((type_named(kind).block_elements for kind in counts), default=1)
    wanted = max(largest_block, _block_elements(type_name))
    odd = [tensor for tensor in matrices if tensor.shape[-1] % wanted and tensor.type not in SOURCE_TYPES]
    if wanted == 1 or not odd or wanted <= _block_elements("Q8_0"):
        return words
    kinds = ", ".join(sorted({tensor.type for tensor in odd}))
    return f"{words}; {len(odd)} of {len(matrices)} have rows that do not divide into {wanted} and became {kinds}"


def _block_elements(type_name: str) -> int:
    """Return the block of the type that a mixture such as Q4_K_M is made of."""
    base = type_name
    while base and base not in TENSOR_TYPE_NUMBERS:
        base = base.rpartition("_")[0]
    return type_named(base).block_elements if base else 1


@contextmanager
def _watched(target: Path, progress: Callable[[int], None]) -> Iterator[None]:
    """Tell how large the file is while the library, which tells nothing, writes it."""
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(_LOOK_EVERY_S):
            if target.exists():
                progress(target.stat().st_size)

    watching = threading.Thread(target=watch, name="quantizing")
    watching.start()
    try:
        yield
    finally:
        is_over.set()
        watching.join()
