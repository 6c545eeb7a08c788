"""Turns of one scenario between servers, and the table of what came out."""

import asyncio
import os
import statistics
from typing import Any

from tests.bench.workload_client import Site
from tests.bench.workload_figures import Figures, NotApplicable, Scenario


async def compare(
    name: str, scenario: Scenario, sites: dict[str, Site], num_warm_up: int, num_rounds: int, timeout_s: float
) -> dict[str, Any]:
    """Return medians of each side and the ratios of the pairs. A side that fails is noted and left out."""
    rounds: dict[str, list[Figures]] = {side: [] for side in sites}
    notes: list[str] = []
    absent: set[str] = set()
    loads: list[float] = []
    for turn in range(num_warm_up + num_rounds):
        for side, site in sites.items():
            if side in absent:
                continue
            loads.append(os.getloadavg()[0])
            try:
                if turn == 0 and await _is_started_again(site):
                    notes.append(f"{side.upper()}: it had died, and was started again")
                figures = await _one_turn(scenario, site, timeout_s)
            except (NotApplicable, OSError, TimeoutError) as error:
                why = str(error) or f"a turn took longer than {timeout_s:g} s"
                notes.append(f"{side.upper()}: {type(error).__name__}: {why}")
                absent.add(side)
                continue
            if turn >= num_warm_up:
                rounds[side].append(figures)
            if site.num_short_answers:
                notes.append(f"{side.upper()}: {site.num_short_answers} of {len(site.answers)} answers were cut short")
    return {
        "scenario": name,
        "rounds": rounds,
        **{side: medians(turns) for side, turns in rounds.items()},
        "ratio": ratios(rounds.get("a", []), rounds.get("b", [])),
        "notes": notes,
        "load_1_min": {"before": loads[0], "last_turn": loads[-1]} if loads else {},
    }


async def _is_started_again(site: Site) -> bool:
    if site.peer is None or site.peer.is_running:
        return False
    await asyncio.to_thread(site.peer.start)
    return True


async def _one_turn(scenario: Scenario, site: Site, timeout_s: float) -> Figures:
    site.answers.clear()
    if site.peer is not None:
        site.peer.check()
    try:
        async with asyncio.timeout(timeout_s):
            if site.tokens_per_word is None:
                await site.learn_words()
                site.answers.clear()
            return await scenario.run(site)
    except (OSError, TimeoutError):
        if site.peer is not None:
            site.peer.check()
        raise


def medians(turns: list[Figures]) -> Figures:
    """Return the median of each figure."""
    return {name: statistics.median(turn[name] for turn in turns) for name in (turns[0] if turns else {})}


def ratios(a: list[Figures], b: list[Figures]) -> dict[str, dict[str, float]]:
    """Return median, least and greatest ratio of the pairs, for each figure of which no value of B is zero."""
    pairs = list(zip(a, b, strict=False))
    found = {}
    for name in pairs[0][0] if pairs else ():
        if all(of_b.get(name) for _, of_b in pairs):
            each = [of_a[name] / of_b[name] for of_a, of_b in pairs]
            found[name] = {"median": statistics.median(each), "min": min(each), "max": max(each)}
    return found


def lines_of(result: dict[str, Any]) -> list[str]:
    """Return the table of one scenario."""
    a, b = result.get("a", {}), result.get("b", {})
    lines = [f"\n{result['scenario']:28}{'A':>10} {'B':>10}   A / B (least to greatest)"]
    for name in {**a, **b}:
        ratio = result["ratio"].get(name)
        written = f"{ratio['median']:.3f} ({ratio['min']:.3f} to {ratio['max']:.3f})" if ratio else ""
        lines.append(f"  {name:26}{_number(a.get(name))} {_number(b.get(name))}   {written}".rstrip())
    return lines + [f"  note: {note}" for note in result["notes"]]


def _number(value: float | None) -> str:
    return f"{'-':>10}" if value is None else f"{value:10.3f}" if abs(value) < 100 else f"{value:10.1f}"
