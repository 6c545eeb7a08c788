"""What the command line says of a model that was measured: a table with bars, and what changed. Pure."""

from collections.abc import Iterator

import msgspec

from appliance.core.calibration import Benchmark
from appliance.core.measurement import ModelSpeed
from appliance.core.units import format_bytes
from appliance.words import tr

from .output import printable, table

_BAR_LENGTH = 20
_DISTURBED = "disturbed: other programs were at work, so that the speed means little and is not kept; try again later"


class FailedBenchmark(msgspec.Struct, frozen=True, kw_only=True):
    """A way of running the model that could not be measured."""

    candidate: str
    problem: str


class BenchmarkReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `appliance bench`. `chosen` is the candidate that is taken from now on."""

    model: str
    benchmarks: tuple[Benchmark, ...]
    failed: tuple[FailedBenchmark, ...] = ()
    chosen: str | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """How much faster something is than before: 0.1 is a tenth."""

    what: str
    ratio: float


def changes(benchmark: Benchmark) -> list[Change]:
    """Return what changed since before, nothing where one of both says nothing."""
    if benchmark.before is None or benchmark.before.is_disturbed or benchmark.measurement.is_disturbed:
        return []
    before = _rates(benchmark.before.speed)
    now = _rates(benchmark.measurement.speed)
    return [Change(what=what, ratio=rate / before[what] - 1) for what, rate in now.items() if before.get(what)]


def report_lines(report: BenchmarkReport) -> Iterator[str]:
    """Yield the table, the fastest first, and a sentence for whatever else there is to say."""
    rates = {each.candidate: _rates(each.measurement.speed) for each in report.benchmarks}
    one_chat = tr("one chat")
    compared = one_chat if any(one_chat in each for each in rates.values()) else None
    heads = list(dict.fromkeys(what for each in rates.values() for what in each))
    ranked = sorted(report.benchmarks, key=lambda each: -_compared(rates[each.candidate], compared))
    most = max((_compared(each, compared) for each in rates.values()), default=0.0)
    headers = ("VARIANT", *(head.upper() for head in heads), "MEMORY", "", "")
    rows = [
        (
            each.candidate.partition("@")[2],
            *(_speed(rates[each.candidate].get(head)) for head in heads),
            format_bytes(each.measurement.memory_bytes),
            "█" * max(1, round(_BAR_LENGTH * _compared(rates[each.candidate], compared) / most)),
            _remark(each, report),
        )
        for each in ranked
    ]
    yield tr("{model}, tokens a second", model=report.model)
    yield table(headers, rows, right=headers[1:-2])
    for each in ranked:
        yield from _news(each)
    for failed in report.failed:
        variant = failed.candidate.partition("@")[2]
        yield printable(tr("{variant} could not be measured: {problem}", variant=variant, problem=failed.problem))
    if any(each.measurement.is_disturbed for each in ranked):
        yield tr(_DISTURBED)


def _rates(speed: ModelSpeed) -> dict[str, float]:
    rates = {tr("prompt of {number}", number=each.num_tokens): each.tokens_per_s for each in speed.prefill}
    if speed.decode_1_tokens_per_s is not None:
        rates[tr("one chat")] = speed.decode_1_tokens_per_s
    if speed.decode_8_tokens_per_s is not None:
        rates[tr("eight chats")] = speed.decode_8_tokens_per_s
    return rates


def _compared(rates: dict[str, float], what: str | None) -> float:
    """Return the rate that bars show: that of one chat or, of what only reads, that of the longest input."""
    return rates.get(what, 0.0) if what is not None else [*rates.values()][-1]


def _remark(benchmark: Benchmark, report: BenchmarkReport) -> str:
    parts = [tr("taken")] if benchmark.candidate == report.chosen else []
    parts += [tr("disturbed")] if benchmark.measurement.is_disturbed else []
    return ", ".join(parts)


def _news(benchmark: Benchmark) -> Iterator[str]:
    if found := changes(benchmark):
        words = ", ".join(f"{change.what} {change.ratio:+.0%}" for change in found)
        variant = benchmark.candidate.partition("@")[2]
        yield tr("{variant} against before: {words}", variant=variant, words=words)


def _speed(tokens_per_s: float | None) -> str:
    if tokens_per_s is None:
        return "-"
    return f"{tokens_per_s:,.0f}" if tokens_per_s >= 100 else f"{tokens_per_s:.1f}"
