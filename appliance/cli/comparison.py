"""What the command line says of several types of one model: a table of size, quality and speed, and what to take."""

from collections.abc import Iterator

import msgspec

from appliance.core.jobs import Job
from appliance.core.quantized import Comparison, MeasuredType
from appliance.core.units import format_bytes
from appliance.words import tr

from .output import printable, table

HEADERS = ("TYPE", "SIZE", "LOSS", "DIVERGENCE", "99 %", "SAME CHOICE", "PROMPT/s", "TOKENS/s", "")
_NUMBERS = HEADERS[1:-1]
_DISTURBED = "disturbed: other programs were at work, so that the speed means little; measure again on a quiet machine"


def comparison_of(job: Job) -> Comparison | None:
    """Return what a finished job measured, None for one that measured nothing of the kind."""
    result = job.result or {}
    try:
        return msgspec.convert(result.get("comparison", result), Comparison)
    except msgspec.ValidationError:
        return None


def comparison_text(comparison: Comparison) -> str:
    """Return the table and the sentences below it."""
    rows = [_row(row, comparison, is_source=index == 0) for index, row in enumerate(comparison.rows)]
    return "\n".join([table(HEADERS, rows, right=_NUMBERS), *_sentences(comparison)])


def _row(row: MeasuredType, comparison: Comparison, *, is_source: bool) -> tuple[str, ...]:
    loss = row.quality
    return (
        row.type,
        "-" if row.size_bytes is None else format_bytes(row.size_bytes),
        "-" if loss is None else f"{loss.loss_ratio:.1%}",
        "-" if loss is None or loss.kl_mean is None else f"{loss.kl_mean:.3g}",
        "-" if loss is None or loss.kl_p99 is None else f"{loss.kl_p99:.3g}",
        "-" if loss is None or loss.top1_agreement_ratio is None else f"{loss.top1_agreement_ratio:.1%}",
        _speed(row.prefill_tokens_per_s),
        _speed(row.decode_tokens_per_s),
        _remark(row, comparison, is_source=is_source),
    )


def _remark(row: MeasuredType, comparison: Comparison, *, is_source: bool) -> str:
    if row.problem is not None:
        return row.problem
    parts = [tr("the original")] if is_source else []
    parts += [tr("kept as {model}", model=row.model)] if row.model else []
    parts += [] if row.is_within else [tr("loses too much")]
    parts += [tr("recommended")] if row.type == comparison.recommended else []
    parts += [tr("disturbed")] if row.is_disturbed else []
    return ", ".join(parts)


def _speed(tokens_per_s: float | None) -> str:
    return "-" if tokens_per_s is None else f"{tokens_per_s:,.3g}" if tokens_per_s < 100 else f"{tokens_per_s:,.0f}"


def _sentences(comparison: Comparison) -> Iterator[str]:
    for row in comparison.rows:
        if row.quality is not None and ";" in row.quality.method:
            yield printable(row.quality.method)
    if any(row.is_disturbed for row in comparison.rows):
        yield tr(_DISTURBED)
    yield printable(comparison.reason)
