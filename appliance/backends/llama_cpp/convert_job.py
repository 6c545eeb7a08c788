"""The work of the job `convert` for GGUF: a folder of float weights in, a file out that reads texts as the folder does.

Neither PyTorch nor the model itself is needed for it. Before a file is kept, llama.cpp's tokenizer has to find the same
tokens in the same texts as the folder's own, and the network to make numbers of them.
"""

import os
from pathlib import Path
from typing import cast

import numpy as np
import psutil
import tokenizers

from appliance.backends.base import LoadedModel
from appliance.backends.gguf_source import find_source
from appliance.backends.held_out import CALIBRATION, HELD_OUT, texts
from appliance.backends.job_arguments import ConvertArguments
from appliance.backends.llama_cpp.backend import LlamaCppBackend
from appliance.backends.llama_cpp.quantize_job import Trial, try_types
from appliance.backends.llama_cpp.reading import artefact_of, open_reader
from appliance.backends.llama_cpp.room import room_to_compare, room_to_convert
from appliance.backends.llama_cpp.types import SOURCE_TYPES
from appliance.backends.made_model import MadeModel, MadeModels, free_name
from appliance.backends.reading import read_logits
from appliance.backends.room import check_room
from appliance.child import Reporter
from appliance.core.units import format_bytes
from appliance.errors import BackendError, InvalidRequest
from models.names import InvalidModelName, name_from_stem
from models.to_gguf.folder import Conversion, plan_conversion
from models.to_gguf.refusal import NotConvertible

# No line begins with a space: of a tokenizer of pieces, llama.cpp puts one more before it, newer transformers does not.
_TEST_TEXT = Path(__file__).with_name("tokenizer_test.txt")
_TRIED_TOKENS = 16


def convert_folder(folder: Path, stem: str, arguments: ConvertArguments, report: Reporter) -> MadeModel | MadeModels:
    """Do the job; things made of the folder are called by `stem`. Raises: ApplianceError."""
    wanted = None if arguments.precision is None else arguments.precision.upper()
    floats = wanted if wanted in SOURCE_TYPES else None
    try:
        conversion = plan_conversion(folder, floats, stem)
        name = free_name(arguments.name, f"{stem}-{wanted or conversion.precision}", report.home)
        if not arguments.force:
            what = f"writing {format_bytes(conversion.size_bytes)} of GGUF"
            check_room(room_to_convert(conversion.size_bytes), what, report.folder)
        path = report.folder / f"{_file_stem(stem)}.gguf"
        _write(conversion, path, report)
    except NotConvertible as error:
        raise InvalidRequest(f"{folder} cannot be converted to GGUF: {error}", param="model") from None
    if not arguments.force:
        check_tokens(folder, path)
    _check_numbers(path)
    if wanted is None or wanted in SOURCE_TYPES:
        return MadeModel(folder=str(path), name=name)
    trial = Trial(
        types=(wanted,),
        names={wanted: name},
        max_loss_ratio=arguments.max_loss_ratio,
        accepts_loss=arguments.accept_loss,
        is_forced=arguments.force,
    )
    return try_types(find_source(str(path), report.home), trial, report)


def check_tokens(folder: Path, path: Path) -> None:
    """Raise InvalidRequest unless the file's tokenizer makes the same of many texts as the folder's own."""
    ours = LlamaCppBackend().open_tokenizer(artefact_of(path))
    theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    for text in (*texts(HELD_OUT), *texts(CALIBRATION), *_TEST_TEXT.read_text(encoding="utf-8").split("\n")):
        expected = theirs.encode(text, add_special_tokens=False).ids
        found = ours.encode(text, parse_special=False, add_bos=False)
        if list(found) != expected:
            at = next((i for i, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), -1)
            raise InvalidRequest(
                f"llama.cpp reads texts in other tokens than the tokenizer of {folder} does, for one at token {at} of "
                f"{text[:60]!r}; the model would be another, so it was not kept; have it all the same with --force",
                param="model",
            )


def _write(conversion: Conversion, path: Path, report: Reporter) -> None:
    total_bytes = conversion.size_bytes
    conversion.write(path, lambda done: report.progress("converting", done, total_bytes, "bytes"))


def _check_numbers(path: Path) -> None:
    """Raise BackendError where llama.cpp cannot load the file or makes no numbers of a text; no room, no check."""
    details = find_source(str(path), path.parent).details
    needed = room_to_compare(details, ("F32",), are_kept=False)
    if needed.memory_bytes > psutil.virtual_memory().available:
        return
    num_tokens = min(_TRIED_TOKENS, details.vocab_size or 1, details.context_length_tokens or _TRIED_TOKENS)
    model = cast(LoadedModel, open_reader(path, num_tokens, len(os.sched_getaffinity(0))))
    try:
        tokens = np.arange(num_tokens, dtype=np.int32)
        if not all(np.isfinite(rows).all() for _, rows in read_logits(model, tokens)):
            raise BackendError(f"{path.name} makes no numbers of a text: its weights are damaged or too large for F16")
    finally:
        model.close()


def _file_stem(stem: str) -> str:
    try:
        return str(name_from_stem(stem))
    except InvalidModelName:
        return "model"
