"""Which type of a model's weights to take: a rule over what was measured, and its reason in words. Pure."""

from appliance.core.quantized import MeasuredType

SAME_SPEED_RATIO = 0.95
"""What two measurements of one speed differ by: a type is not called slower for less."""


def recommend(rows: tuple[MeasuredType, ...], max_loss_ratio: float) -> tuple[str | None, str]:
    """Return the type to take, None where the source (the first row) is best, and why.

    It is the smallest that loses no more than was allowed and is not slower than the source. Of two of one size it is
    the better one. Speeds that were disturbed decide nothing.
    """
    source, *others = rows
    measured = [row for row in others if row.problem is None and row.size_bytes is not None]
    within = [row for row in measured if row.is_within and _size(row) < _size(source)]
    fit = [row for row in within if not _is_slower(row, source)]
    if not fit:
        return None, _why_none(source, measured, within, max_loss_ratio)
    best = min(fit, key=lambda row: (_size(row), _loss(row)))
    return best.type, _why(best, source, measured, max_loss_ratio)


def _why(best: MeasuredType, source: MeasuredType, measured: list[MeasuredType], max_loss_ratio: float) -> str:
    gain = f"{_size(best) / _size(source):.0%} of the size"
    ours, theirs = _speed(best), _speed(source)
    if best.is_disturbed or source.is_disturbed:
        rule, gain = "", f"{gain}; other programs were at work, so that speeds were not compared"
    else:
        rule = f" and is not slower than {source.type}"
        gain += f" and {ours / theirs:.2f} times the speed" if ours and theirs else ""
    parts = [f"{best.type} is the smallest that loses at most {max_loss_ratio:.1%}{rule}"]
    parts.append(f"it loses {_loss(best):.1%}, at {gain}")
    if smaller := [row for row in measured if _size(row) < _size(best)]:
        nearest = max(smaller, key=lambda row: (_size(row), -_loss(row)))
        parts.append(f"the next smaller, {nearest.type}, {_fault(nearest, source)}")
    return "; ".join(parts)


def _why_none(
    source: MeasuredType, measured: list[MeasuredType], within: list[MeasuredType], max_loss_ratio: float
) -> str:
    if not measured:
        return f"nothing could be measured beside {source.type}"
    if within:
        return f"stay with {source.type}: what loses at most {max_loss_ratio:.1%} is slower here"
    smaller = [row for row in measured if _size(row) < _size(source)]
    if not smaller:
        return f"stay with {source.type}: nothing that was tried is smaller"
    least = min(smaller, key=_loss)
    return f"stay with {source.type}: even {least.type} loses {_loss(least):.1%}, {max_loss_ratio:.1%} are allowed"


def _fault(row: MeasuredType, source: MeasuredType) -> str:
    return f"is slower than {source.type}" if row.is_within else f"loses {_loss(row):.1%}"


def _is_slower(row: MeasuredType, source: MeasuredType) -> bool:
    ours, theirs = _speed(row), _speed(source)
    if ours is None or theirs is None or row.is_disturbed or source.is_disturbed:
        return False
    return ours < SAME_SPEED_RATIO * theirs


def _speed(row: MeasuredType) -> float | None:
    """Return how fast it generates; models that only read are judged by how fast they read."""
    return row.prefill_tokens_per_s if row.decode_tokens_per_s is None else row.decode_tokens_per_s


def _size(row: MeasuredType) -> int:
    return row.size_bytes or 0


def _loss(row: MeasuredType) -> float:
    return float("inf") if row.quality is None else row.quality.loss_ratio
