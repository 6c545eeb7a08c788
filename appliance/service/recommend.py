"""Which models of the catalogue suit this machine, and why. Pure: entries and a machine in, a judged list out.

    rank = log2(billions of parameters)     of a mixture, the geometric mean of all and of those at work for a token
           + half a point for each year     that it is newer
           - what it is too slow by         in powers of two, one and a half points each
           - what speaks against it         new, tight in memory, a form of tool calls that is not known here, …

It is an order and not a measurement: the parts are chosen so that the best model that is still quick enough comes
first. Source of the mean: a rule of thumb of those who publish mixtures of experts.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from appliance.backends.asked import MachineNow
from appliance.backends.limits import least_bytes
from appliance.backends.options import Option
from appliance.backends.select import best
from appliance.core.catalogue import CatalogueItem, Purpose, Speed
from appliance.core.template_families import GENERIC
from appliance.core.units import format_bytes
from appliance.errors import ApplianceError
from models.catalogue.catalogue import CatalogueModel, CatalogueSource, Chosen, Entry, chosen_of
from models.catalogue.licences import Verdict
from models.catalogue.licences import check as check_licence

from .fit import Subject, speed_of, subject_of_entry

_CONTEXT_TOKENS = 8192
_COMFORTABLE_TOKENS_PER_S = {"chat": 10.0, "code": 15.0, "tools": 15.0}
_THINKING_FACTOR = 1.5
_COMFORTABLE_INPUT_TOKENS_PER_S = 1000.0
_SLOWNESS_POINTS, _YEAR_POINTS, _VECTOR_POINTS = 1.5, 0.5, 0.5
_TIGHT_RATIO = 0.8
_FIRST_YEAR = 2024
_MATURITY = {"proven": (0.0, 2024.5), "current": (0.25, 2026.0), "new": (0.75, 2026.5)}
_NEW = "new: runtimes still change for it"
_ROOMY_RATIO = 0.25
_LESSER = ("Q4_0", "Q3_K_M", "Q2_K")
_FINE = "Q8_0"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a model is wanted for. `language` is an ISO 639-1 code; None: whatever it is good at."""

    purpose: Purpose | None = None
    language: str | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Option:
    """A model in one of its quantizations, as it would run here."""

    chosen: Chosen
    subject: Subject
    way: Option
    needed_bytes: int
    context_tokens: int


@dataclass(slots=True)
class _Judgement:
    """Points and reasons as they gather. A model that something rules out has no rank."""

    points: float = 0.0
    is_possible: bool = True
    reasons: list[str] = field(default_factory=list)

    def add(self, points: float, reason: str | None = None) -> None:
        self.points += points
        if reason:
            self.reasons.append(reason)

    def rule_out(self, reason: str) -> None:
        self.is_possible = False
        self.reasons.append(reason)


def recommend(entries: Iterable[Entry], machine: MachineNow, wish: Wish) -> tuple[CatalogueItem, ...]:
    """Return the models that serve the purpose and carry all the words, the best for this machine first."""
    items = [judge(entry, machine, wish) for entry in entries if _is_meant(entry, wish)]
    return tuple(sorted(items, key=lambda item: (item.rank is None, -(item.rank or 0.0), item.name)))


def judge(entry: Entry, machine: MachineNow, wish: Wish) -> CatalogueItem:
    """Judge one model for this machine."""
    model, judgement = entry.model, _Judgement()
    purpose = wish.purpose or model.purposes[0]
    verdict = check_licence(model.licence, machine.settings.models.allowed_licences)
    option, problem = _option(entry, machine)
    judgement.add(_capability(model, purpose), _size(model))
    speed = None
    if option is None:
        judgement.rule_out(problem)
    else:
        speed = _judge_running(option, machine, purpose, judgement)
    _judge_words(model, wish, purpose, judgement)
    _judge_licence(verdict, judgement)
    judgement.add(-_MATURITY[model.maturity][0], _NEW if model.maturity == "new" else None)
    judgement.reasons += option.subject.notes if option else ()
    return _item(entry, option, speed, judgement)


def _is_meant(entry: Entry, wish: Wish) -> bool:
    model = entry.model
    if wish.purpose is not None and wish.purpose not in model.purposes:
        return False
    parts = (model.name, model.title, entry.family, entry.publisher, model.judgement, model.licence)
    text = " ".join((*parts, *model.capabilities, *model.purposes, *model.languages)).lower()
    return all(word.lower() in text for word in wish.words)


def _option(entry: Entry, machine: MachineNow) -> tuple[_Option | None, str]:
    """Return the model in the quantization that suits the machine, or why there is none.

    The usual one; a finer one where a quarter of the memory holds it; a lesser one where nothing else fits.
    """
    problem, least = "nothing here runs it", None
    for source in entry.model.sources:
        usual = next(iter(source.quantizations), None)
        lesser = [name for name in _LESSER if name in source.quantizations and name != usual]
        for quantization in (usual, *lesser):
            try:
                option = _as(entry, source, quantization, machine)
            except ApplianceError as error:
                problem = error.message
                break
            if option.needed_bytes <= machine.budget_bytes:
                return _finer(option, entry, source, machine), ""
            least = min(least or option.needed_bytes, option.needed_bytes)
    if least is not None:
        budget = format_bytes(max(0, machine.budget_bytes))
        problem = f"needs {format_bytes(least)} at least; {budget} may be used"
    return None, problem


def _finer(option: _Option, entry: Entry, source: CatalogueSource, machine: MachineNow) -> _Option:
    if _FINE not in source.quantizations or option.chosen.quantization in (_FINE, *_LESSER):
        return option
    finer = _as(entry, source, _FINE, machine)
    return finer if finer.needed_bytes <= _ROOMY_RATIO * machine.budget_bytes else option


def _as(entry: Entry, source: CatalogueSource, quantization: str | None, machine: MachineNow) -> _Option:
    chosen = chosen_of(entry, source, quantization)
    subject = subject_of_entry(entry, source, quantization, chosen.reference)
    way = best(subject.asked, machine)
    context_tokens = min(_CONTEXT_TOKENS, entry.model.context_length_tokens or _CONTEXT_TOKENS)
    return _Option(chosen, subject, way, least_bytes(way.need, context_tokens), context_tokens)


def _capability(model: CatalogueModel, purpose: str) -> float:
    size = math.sqrt(model.num_parameters * (model.num_active_parameters or model.num_parameters)) / 1e9
    weight = _VECTOR_POINTS if purpose in ("embeddings", "rerank", "transcription") else 1.0
    return weight * math.log2(size) + _YEAR_POINTS * (_year(model) - _FIRST_YEAR)


def _year(model: CatalogueModel) -> float:
    if model.released is None:
        return _MATURITY[model.maturity][1]
    year, month = model.released.split("-")
    return int(year) + (int(month) - 1) / 12


def _size(model: CatalogueModel) -> str:
    text = f"{_billions(model.num_parameters)} parameters"
    if model.num_active_parameters is not None:
        text += f", of which {_billions(model.num_active_parameters)} work for a token"
    return f"{text}; published {model.released}" if model.released else text


def _judge_running(option: _Option, machine: MachineNow, purpose: str, judgement: _Judgement) -> Speed | None:
    shown = f"as {option.chosen.quantization} it needs" if option.chosen.quantization else "it needs"
    memory = f"{shown} {format_bytes(option.needed_bytes)} with {option.context_tokens} tokens"
    judgement.reasons.append(f"{memory}; {format_bytes(machine.budget_bytes)} may be used")
    if option.needed_bytes > _TIGHT_RATIO * machine.budget_bytes:
        judgement.add(-0.5, "that leaves little for a longer context or a second model")
    if option.chosen.quantization in _LESSER:
        judgement.add(-0.5, "a finer quantization does not fit, and this one loses more")
    speed, predicted = speed_of(option.way), option.way.predicted
    if speed is None:
        found = predicted.speed.prefill[-1].tokens_per_s if predicted is not None else 0.0
        wanted, what = _COMFORTABLE_INPUT_TOKENS_PER_S, "reads"
    else:
        thinks = "reasoning" in option.subject.capabilities
        wanted = _COMFORTABLE_TOKENS_PER_S.get(purpose, 10.0) * (_THINKING_FACTOR if thinks else 1.0)
        found, what = speed.decode_tokens_per_s, "writes"
    slow_by = max(0.0, math.log2(wanted / max(found, 1e-9)))
    verdict = "fast enough" if slow_by == 0 else f"{wanted:.0f} would be comfortable"
    judgement.add(-_SLOWNESS_POINTS * slow_by, f"it {what} about {_rounded(found)} tokens/s here: {verdict}")
    return speed


def _judge_words(model: CatalogueModel, wish: Wish, purpose: str, judgement: _Judgement) -> None:
    """Judge what it was made for: the language, tools and their form, programming."""
    if wish.language is not None and wish.language not in model.languages:
        if "multi" in model.languages:
            judgement.add(-0.5, f"many languages, {wish.language} not among its main ones")
        else:
            judgement.rule_out(f"not made for {wish.language}, but for {', '.join(model.languages)}")
    if "tools" in model.capabilities and model.template is not None:
        is_known = model.template != GENERIC
        shown = f"calls tools in the form {model.template!r}, which is known here"
        unknown = "calls tools in a form that is only guessed here"
        judgement.add(0.0 if is_known else -1.0, shown if is_known else unknown)
    if purpose == "tools" and "tools" not in model.capabilities:
        judgement.rule_out("it was not taught to call tools")
    if purpose == "code":
        if model.purposes[0] == "code":
            judgement.add(1.0, "made for programming")
        if "fim" in model.capabilities:
            judgement.add(0.5, "fills gaps, as editors ask for")


def _judge_licence(verdict: Verdict, judgement: _Judgement) -> None:
    if not verdict.is_allowed:
        judgement.rule_out(verdict.reason)
        return
    points = -1.0 if verdict.kind == "non_commercial" else 0.0
    judgement.add(points, f"licence {verdict.licence}" + (f": {verdict.note}" if verdict.note else ""))


def _item(entry: Entry, option: _Option | None, speed: Speed | None, judgement: _Judgement) -> CatalogueItem:
    model = entry.model
    return CatalogueItem(
        name=model.name,
        title=model.title,
        family=entry.family,
        publisher=entry.publisher,
        origin=entry.origin,
        released=model.released,
        num_parameters=model.num_parameters,
        num_active_parameters=model.num_active_parameters,
        licence=model.licence,
        languages=model.languages,
        context_length_tokens=model.context_length_tokens,
        capabilities=model.capabilities,
        purposes=model.purposes,
        maturity=model.maturity,
        judgement=model.judgement,
        references=tuple(_references(model, option)),
        quantization=option.chosen.quantization if option else None,
        is_installed=False,
        memory_bytes=option.needed_bytes if option else None,
        speed=speed,
        rank=round(judgement.points, 2) if judgement.is_possible else None,
        reasons=tuple(judgement.reasons),
    )


def _references(model: CatalogueModel, option: _Option | None) -> Iterator[str]:
    """Yield what to pull, the one that suits this machine first."""
    first = option.chosen.reference if option else None
    if first is not None:
        yield first
    for source in model.sources:
        if first is None or not first.startswith(source.reference):
            yield source.reference


def _billions(count: int) -> str:
    return f"{count / 1e9:.3g}B" if count >= 1e9 else f"{count / 1e6:.3g}M"


def _rounded(speed: float) -> str:
    return f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}"
