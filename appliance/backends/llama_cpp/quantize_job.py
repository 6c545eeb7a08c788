"""The work of the jobs `quantize` and `evaluate` on GGUF files: types tried, each measured against the source."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from appliance.backends.gguf_source import GgufSource
from appliance.backends.llama_cpp.gate import DecoderGate, EncoderGate, open_gate
from appliance.backends.llama_cpp.quantization import quantize_file
from appliance.backends.llama_cpp.room import room_to_compare
from appliance.backends.llama_cpp.types import SOURCE_TYPES, most_bytes
from appliance.backends.loss import LossTooLarge, check_loss, is_within
from appliance.backends.made_model import MadeModel, MadeModels, free_name, write_quality
from appliance.backends.recommend import recommend
from appliance.backends.room import check_room, parameters_in_words
from appliance.backends.speed import Speed
from appliance.child import Reporter
from appliance.core.admin import ModelLoss
from appliance.core.quantized import Comparison, MeasuredType
from appliance.errors import ApplianceError, BackendError, InvalidRequest
from models.finding.quality_file import quality_file_of
from models.manifest import ModelQuality

_MEND = "try a larger type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What to try. `names` are those of the models to keep, by type; what has no name is measured and deleted."""

    types: tuple[str, ...]
    names: dict[str, str] = field(default_factory=dict)
    max_loss_ratio: float
    texts: Path | None = None
    accepts_loss: bool = False
    is_forced: bool = False


def names_for(source: GgufSource, types: tuple[str, ...], name: str | None, home: Path) -> dict[str, str]:
    """Return the names for the new models, all of them free. Raises: InvalidRequest, Conflict."""
    stems = {each: f"{name or source.stem}-{each.lower()}" for each in types}
    if name is not None and len(types) == 1:
        return {types[0]: free_name(name, "", home)}
    return {each: free_name(stem if name else None, stem, home) for each, stem in stems.items()}


def try_types(source: GgufSource, trial: Trial, report: Reporter) -> MadeModels:
    """Quantize to each type and measure it. Of several, one that fails is told of; of one, it is raised.

    Raises: InvalidRequest, DoesNotFit, BackendError; LossTooLarge, where a single type lost too much.
    """
    check_source(source, trial.is_forced)
    num_parameters = source.details.num_parameters or 0
    if not trial.is_forced:
        what = f"trying {', '.join(trial.types)} of {parameters_in_words(num_parameters)}"
        check_room(room_to_compare(source.details, trial.types, are_kept=bool(trial.names)), what, report.folder)
    num_threads = len(os.sched_getaffinity(0))
    with (report.folder / "original.logits").open("w+b") as file:
        gate = open_gate(source.path, file, num_threads, _of(report, source.type), trial.texts)
        rows, made = [_row(source.type, source.size_bytes, gate.speed)], []
        for type_name in trial.types:
            row, model = _try(source, type_name, gate, trial, report, num_threads)
            rows.append(row)
            made += [model] if model is not None else []
    if trial.names and not made:
        raise LossTooLarge(f"none of {', '.join(trial.types)} was kept: {_faults(rows[1:])}; {_MEND}, or --accept-loss")
    recommended, reason = recommend(tuple(rows), trial.max_loss_ratio)
    return MadeModels(
        made=tuple(made),
        comparison=Comparison(
            model=source.stem, rows=tuple(rows), recommended=recommended, reason=reason, num_threads=num_threads
        ),
    )


def check_source(source: GgufSource, is_forced: bool) -> None:
    """Raise InvalidRequest for a file that is quantized already, unless that is known."""
    if source.type not in SOURCE_TYPES and not is_forced:
        raise InvalidRequest(
            f"{source.stem!r} is {source.type} already: what it lost stays lost, and quantizing again loses more; "
            "begin with its F16 or F32 file, or do it all the same with --force",
            param="model",
        )


def _try(
    source: GgufSource,
    type_name: str,
    gate: DecoderGate | EncoderGate,
    trial: Trial,
    report: Reporter,
    num_threads: int,
) -> tuple[MeasuredType, MadeModel | None]:
    """Return what was measured of one type, and the model where it is to be kept."""
    name = trial.names.get(type_name)
    target = report.folder / "made" / type_name / f"{name or source.stem}.gguf".replace("/", "-").replace(":", "-")
    target.parent.mkdir(parents=True)
    tell = _of(report, type_name)
    total_bytes = most_bytes(type_name, source.details.num_parameters or 0)
    is_kept = False
    try:
        method = quantize_file(
            source.path,
            target,
            type_name,
            num_threads=num_threads,
            allows_quantized=trial.is_forced,
            progress=lambda done: tell("quantizing", min(done / max(total_bytes, 1), 1.0)),
        )
        quality, speed = gate.judge(target, tell)
        quality = msgspec.structs.replace(quality, method=method)
        row = msgspec.structs.replace(
            _row(type_name, target.stat().st_size, speed),
            quality=msgspec.convert(msgspec.to_builtins(quality), ModelLoss),
            is_within=is_within(quality, trial.max_loss_ratio),
        )
        problem = _problem(quality, trial)
        if problem is not None and len(trial.types) == 1 and name is not None:
            raise problem
        is_kept = name is not None and problem is None
        if name is None or not is_kept:
            return row, None
        write_quality(quality_file_of(target), quality)
        return msgspec.structs.replace(row, model=name), MadeModel(folder=str(target), name=name)
    except BackendError as error:
        if len(trial.types) == 1:
            raise
        return MeasuredType(type=type_name, problem=error.message, is_within=False), None
    finally:
        if not is_kept:
            target.unlink(missing_ok=True)


def _problem(quality: ModelQuality, trial: Trial) -> ApplianceError | None:
    try:
        check_loss(quality, trial.max_loss_ratio, trial.accepts_loss, _MEND)
    except InvalidRequest as problem:
        return problem
    return None


def _row(type_name: str, size_bytes: int, speed: Speed) -> MeasuredType:
    return MeasuredType(
        type=type_name,
        size_bytes=size_bytes,
        prefill_tokens_per_s=speed.prefill,
        decode_tokens_per_s=speed.decode,
        is_disturbed=speed.is_disturbed,
    )


def _faults(rows: list[MeasuredType]) -> str:
    """Return what is wrong with each, in words."""
    losses = {row.type: row.quality.loss_ratio for row in rows if row.quality is not None}
    return ", ".join(row.problem or f"{row.type} loses {losses[row.type]:.1%}" for row in rows)


def _of(report: Reporter, type_name: str) -> Callable[[str, float], None]:
    return lambda what, ratio: report.progress(f"{type_name}: {what}", ratio, 1.0, "ratio")
