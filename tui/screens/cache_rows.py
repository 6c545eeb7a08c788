"""The caches of a box in words and bars. Pure."""

from collections.abc import Iterable, Sequence

from appliance.core.response_cache import CacheFigures, CacheTier
from appliance.words import tr
from tui.widgets.figures import at_left, at_right, bar, duration, joined, number, percent, size, spread
from tui.widgets.tones import Tone, Toned, toned

FULL_RATIO = 0.95
EXPLAINED_FROM_WIDTH = 130
_LABEL_WIDTH, _AMOUNT_WIDTH, _RATIO_WIDTH, _FOUND_WIDTH = 19, 24, 6, 13
_MAX_BAR_WIDTH = 40


def lines(figures: CacheFigures, width: int) -> list[Toned]:
    """Return all of it as lines of `width` cells: whole answers, then prefixes of prompts, model by model."""
    tiers = figures.tiers or _answers(figures)
    answers = [tier for tier in tiers if tier.name in ("answers", "answers_on_disk")]
    everybody = figures.scope == "shared"
    whose = tr("they belong to everybody") if everybody else tr("they belong to whoever asked")
    mode = tr("mode {mode}; {whose}", mode=figures.mode, whose=whose)
    shown = [spread(_title(tr("Whole answers")), toned(mode, "muted"), width), *_tiers(answers, width), ""]
    shown += [*_asked(figures), "", ""]
    prefixes = [tier for tier in tiers if tier not in answers]
    shown.append(_title(tr("Prefixes of prompts")))
    for model in dict.fromkeys(tier.model for tier in prefixes if tier.model is not None):
        shown += [toned(f"  {model}", "bold"), *_tiers([tier for tier in prefixes if tier.model == model], width), ""]
    if not any(tier.model for tier in prefixes):
        shown += [toned(f"  {tr('no model is in memory: prefixes are kept for those that are')}", "muted"), ""]
    shared = [tier for tier in prefixes if tier.model is None]
    if shared:
        shown += [toned(f"  {tr('all models')}", "bold"), *_tiers(shared, width)]
    return shown


def _title(text: str) -> Toned:
    return toned(text, "primary")


def _asked(figures: CacheFigures) -> list[Toned]:
    num_spared = figures.num_hits + figures.num_shared
    num_asked = num_spared + figures.num_misses
    if not num_asked:
        return [toned(f"    {tr('nobody asked for anything that could be kept since the box started')}", "muted")]
    asked = tr("asked {count} times", count=number(num_asked))
    spared = tr("{ratio} not computed", ratio=percent(num_spared / num_asked).strip())
    how = tr("{hits} found, {shared} joined", hits=number(figures.num_hits), shared=number(figures.num_shared))
    tokens = tr("saved {count} tokens", count=number(figures.saved_tokens))
    time = tr("{time} of computing, since the box started", time=duration(figures.saved_s))
    return [
        joined(f"    {asked} · ", toned(spared, "success" if num_spared else "muted"), toned(f" · {how}", "muted")),
        joined("    ", toned(tokens, "success" if figures.saved_tokens else "muted"), toned(f" · {time}", "muted")),
    ]


def _tiers(tiers: Iterable[CacheTier], width: int) -> list[Toned]:
    return [_tier(tier, width) for tier in tiers]


def _tier(tier: CacheTier, width: int) -> Toned:
    """Return a line: what it is, how full it is, and how much of what was looked for was there."""
    rest = width - 4 - _LABEL_WIDTH - _AMOUNT_WIDTH - _RATIO_WIDTH - _FOUND_WIDTH
    used, most = _used(tier)
    ratio = used / most if used is not None and most else None
    tone: Tone = "warning" if ratio is not None and ratio >= FULL_RATIO else "secondary"
    found = "" if tier.cached_ratio is None else tr("{ratio} found", ratio=percent(tier.cached_ratio))
    label, explanation = _names(tier)
    line = joined(
        "    ",
        at_left(label, _LABEL_WIDTH),
        bar(ratio, max(8, min(_MAX_BAR_WIDTH, rest)), tone),
        at_right(_amount(tier), _AMOUNT_WIDTH),
        toned(f"{percent(ratio):>{_RATIO_WIDTH}}", tone if tone == "warning" else "muted"),
        toned(at_right(found, _FOUND_WIDTH), "success" if tier.cached_ratio else "muted"),
    )
    return joined(line, toned(f"   {explanation}", "muted")) if width >= EXPLAINED_FROM_WIDTH else line


def _used(tier: CacheTier) -> tuple[float | None, float | None]:
    if tier.used_bytes is not None:
        return tier.used_bytes, tier.max_bytes
    return tier.used_tokens, tier.max_tokens


def _amount(tier: CacheTier) -> str:
    used, most = _used(tier)
    if tier.used_bytes is None:
        return tr("{used} of {max} tokens", used=number(used), max=number(most))
    return size(used) if most is None else tr("{used} of {max}", used=size(used), max=size(most))


def _names(tier: CacheTier) -> tuple[str, str]:
    match tier.name:
        case "kv":
            return tr("KV cache"), tr("in use, or ready at once")
        case "prefixes":
            return tr("in RAM"), tr("back in a moment")
        case "prefixes_on_disk":
            return tr("on disk"), tr("kept over restarts")
        case "answers":
            return tr("in memory"), tr("given again at once")
    return tr("on disk"), tr("kept over restarts")


def _answers(figures: CacheFigures) -> Sequence[CacheTier]:
    """Return what a box that knows no tiers says of them."""
    return (
        CacheTier(name="answers", model=None, used_bytes=figures.memory_bytes, max_bytes=figures.max_memory_bytes),
        CacheTier(name="answers_on_disk", model=None, used_bytes=figures.disk_bytes, max_bytes=figures.max_disk_bytes),
    )
