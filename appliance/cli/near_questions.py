"""How well embeddings tell questions that mean the same from those that do not: pairs, thresholds, and advice."""

from collections.abc import Sequence
from operator import mul

import msgspec

from appliance.client import Client
from appliance.service.answers.near import numbers_in
from appliance.words import tr

from .exits import WRONG_USAGE, CommandError

THRESHOLDS = (0.80, 0.85, 0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
MAX_WRONG_RATIO = 0.01
NUM_AT_ONCE = 64


class Pair(msgspec.Struct, frozen=True):
    """Two questions, and whether a person would answer both alike."""

    first: str
    second: str
    is_same: bool


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a threshold would do: the share of equal pairs that it finds, and of different ones that it confuses."""

    threshold: float
    hit_ratio: float
    wrong_ratio: float


def read_pairs(lines: Sequence[str]) -> list[Pair]:
    """Return the pairs of a file; both kinds are needed. Raises: CommandError, with the line."""
    pairs = []
    for number, line in enumerate(lines, 1):
        parts = [part.strip() for part in line.split("\t")]
        if len(parts) != 3 or parts[2] not in ("same", "different"):
            message = "line {number} is not 'QUESTION <tab> QUESTION <tab> same|different': {line}"
            raise CommandError(tr(message, number=number, line=line[:80]), WRONG_USAGE)
        pairs.append(Pair(parts[0], parts[1], parts[2] == "same"))
    if len({pair.is_same for pair in pairs}) < 2:
        raise CommandError(tr("the file needs pairs of both kinds, 'same' and 'different'"), WRONG_USAGE)
    return pairs


def similarities(client: Client, model: str, pairs: Sequence[Pair]) -> list[float]:
    """Return the cosine of each pair; 0 for one whose numbers differ, which the cache never takes for the same."""
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.first, pair.second)))
    vectors: dict[str, list[float]] = {}
    for start in range(0, len(texts), NUM_AT_ONCE):
        some = texts[start : start + NUM_AT_ONCE]
        vectors.update(zip(some, client.embed(model, some), strict=True))
    return [_similarity(pair, vectors[pair.first], vectors[pair.second]) for pair in pairs]


def judge(pairs: Sequence[Pair], cosines: Sequence[float]) -> list[Judged]:
    """Return what each threshold would do. Pure."""
    same = [cosine for pair, cosine in zip(pairs, cosines, strict=True) if pair.is_same]
    different = [cosine for pair, cosine in zip(pairs, cosines, strict=True) if not pair.is_same]
    return [
        Judged(threshold=each, hit_ratio=_share(same, each), wrong_ratio=_share(different, each)) for each in THRESHOLDS
    ]


def advice(judged: Sequence[Judged], model: str) -> str:
    """Return what to do: the lowest threshold that confuses next to nothing, or to leave it alone."""
    good = [each for each in judged if each.wrong_ratio <= MAX_WRONG_RATIO and each.hit_ratio > 0]
    if not good:
        return tr("no threshold finds equal questions without confusing others: leave cache.semantic_model alone")
    best = max(good, key=lambda each: (each.hit_ratio, each.threshold))
    found = tr(
        "a threshold of {threshold:.2f} would answer {right:.0%} of the equal questions from the cache and "
        "{wrong:.0%} of the different ones wrongly; to use it:",
        threshold=best.threshold,
        right=best.hit_ratio,
        wrong=best.wrong_ratio,
    )
    return f'{found}\n  [cache]\n  semantic_model = "{model}"\n  semantic_threshold = {best.threshold:.2f}'


def _similarity(pair: Pair, first: list[float], second: list[float]) -> float:
    if numbers_in(pair.first) != numbers_in(pair.second):
        return 0.0
    norms = (sum(map(mul, first, first)) * sum(map(mul, second, second))) ** 0.5
    return sum(map(mul, first, second)) / norms if norms else 0.0


def _share(cosines: Sequence[float], threshold: float) -> float:
    return sum(cosine >= threshold for cosine in cosines) / len(cosines)
