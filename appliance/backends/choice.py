"""The pure choice of how a model runs here, among all ways that there are: the fastest that may be taken and fits.

possible       a backend that is installed runs it
permitted      it lost no more than was allowed, is compiled if it has to be, and nobody asked for another
roomy          the memory holds a context that is of use
fast           the usual work takes the least time; measured before predicted; noise changes nothing
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from appliance.backends.asked import Asked, Forced, MachineNow
from appliance.backends.limits import MIN_CONTEXT_TOKENS, least_bytes, useful_context_tokens
from appliance.backends.objective import NOISE_RATIO, Factors, corrected, factors, usual_time_s
from appliance.backends.options import Option
from appliance.backends.rooms import budget_bytes
from appliance.core.measurement import ModelSpeed
from appliance.errors import ApplianceError, BackendError, ModelNotFound

ChosenBy = Literal["name", "setting", "measurement", "prediction", "only one"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """An option with how fast it is, as it was measured or else predicted, and how long the usual work takes there."""

    option: Option
    speed: ModelSpeed | None
    is_measured: bool
    time_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is taken, and all that there was: `pool` is what could have been taken, `fitting` the part that has room."""

    chosen: Ranked
    by: ChosenBy
    ranked: tuple[Ranked, ...]
    pool: tuple[Ranked, ...]
    fitting: tuple[Ranked, ...]

    @property
    def rival(self) -> Ranked | None:
        """Return the fastest of the others that could be taken."""
        others = [each for each in self.fitting if each is not self.chosen]
        return min(others, key=_time, default=None)


def choose(asked: Asked, options: Sequence[Option], machine: MachineNow) -> Choice:
    """Choose. Raises: BackendError (nothing here runs it), ModelNotFound (there is no such variant).

    Where nothing fits, what needs the least memory is chosen, and does not fit.
    """
    ranked = _ranked(options, writes=asked.task == "generate")
    pool, by = _pool(asked, ranked, machine)
    fitting = _fitting(pool, machine)
    if not fitting:
        chosen = min(pool, key=lambda each: least_bytes(each.option.need))
        return Choice(chosen=chosen, by=by or "only one", ranked=ranked, pool=pool, fitting=())
    chosen = _fastest(fitting, asked.serving)
    choice = Choice(chosen=chosen, by=by or "only one", ranked=ranked, pool=pool, fitting=fitting)
    if by is not None or choice.rival is None:
        return choice
    is_known = chosen.is_measured and choice.rival.is_measured
    return Choice(
        chosen=chosen, by="measurement" if is_known else "prediction", ranked=ranked, pool=pool, fitting=fitting
    )


def is_possible(option: Option) -> bool:
    """Return whether what is installed here could run it."""
    return option.refusal is None and option.backend.state == "ready"


def is_within_loss(option: Option, machine: MachineNow) -> bool:
    """Return whether a form may stand for the model without anybody having asked for it."""
    loss = option.form.loss_ratio
    return loss is not None and loss <= (0.0 if embeds(option) else machine.settings.engine.max_loss_ratio)


def embeds(option: Option) -> bool:
    """Return whether a model makes vectors: they are kept and compared with later ones, so it stays what it was."""
    return option.form.details is not None and option.form.details.task == "embed"


def is_proven(ranked: Ranked) -> bool:
    """Return whether a form is worth what it lost: nothing is given up for the sake of a prediction."""
    return ranked.is_measured or not ranked.option.form.loss_ratio


def is_switched_off(option: Option, machine: MachineNow) -> bool:
    """Return whether the operator wants no model to run on what has to be compiled first."""
    return option.preparation is not None and machine.settings.engine.kernels == "off"


def _ranked(options: Sequence[Option], *, writes: bool) -> tuple[Ranked, ...]:
    by = factors(
        (option.measured.speed, option.predicted.speed)
        for option in options
        if option.measured is not None and option.predicted is not None and option.measured.speed.prefill
    )
    return tuple(_rank(option, by, writes) for option in options)


def _rank(option: Option, by: Factors, writes: bool) -> Ranked:
    speed = option.measured.speed if option.measured is not None else None
    if speed is None and option.predicted is not None:
        speed = corrected(option.predicted.speed, by)
    time_s = usual_time_s(speed, writes=writes)
    return Ranked(option=option, speed=speed, is_measured=option.measured is not None, time_s=time_s)


def _pool(
    asked: Asked, ranked: tuple[Ranked, ...], machine: MachineNow
) -> tuple[tuple[Ranked, ...], Literal["name", "setting"] | None]:
    """Return what may be taken and, where somebody left no choice, who."""
    possible = tuple(each for each in ranked if is_possible(each.option))
    forced, set_backend = asked.forced, machine.settings.engine.backend
    if forced is not None:
        return _forced(asked, forced, ranked, possible, machine), forced.by
    if not possible:
        raise _impossible(asked, ranked, machine)
    preferred = tuple(each for each in possible if each.option.backend.name == set_backend)
    if preferred and (found := _first(preferred, (_is_ready(machine), _is_within(machine)))):
        return found, "setting"
    ready = _is_ready(machine)
    permitted = tuple(each for each in possible if not is_switched_off(each.option, machine))
    return _first(permitted, (ready,)) or _first(possible, (ready, _is_within(machine))), None


def _forced(
    asked: Asked, forced: Forced, ranked: tuple[Ranked, ...], possible: tuple[Ranked, ...], machine: MachineNow
) -> tuple[Ranked, ...]:
    """Return what the variant means. A backend's name alone does not ask for a form that lost more than was allowed."""
    meant = tuple(each for each in ranked if each.option.answers_to(forced.variant))
    if not meant:
        raise _unknown(asked, forced, ranked, machine)
    able = tuple(each for each in meant if each in possible)
    if not able:
        raise _impossible(asked, meant, machine)
    return _first(able, (_is_ready(machine), _is_within(machine), _is_prepared, lambda each: True))


def _is_within(machine: MachineNow) -> Callable[[Ranked], bool]:
    return lambda each: is_within_loss(each.option, machine)


def _is_ready(machine: MachineNow) -> Callable[[Ranked], bool]:
    return lambda each: is_within_loss(each.option, machine) and each.option.is_prepared


def _is_prepared(ranked: Ranked) -> bool:
    return ranked.option.is_prepared


def _first(ranked: tuple[Ranked, ...], rules: Iterable[Callable[[Ranked], bool]]) -> tuple[Ranked, ...]:
    """Return those that keep the first rule that any of them keeps."""
    for rule in rules:
        if kept := tuple(filter(rule, ranked)):
            return kept
    return ()


def _fitting(pool: tuple[Ranked, ...], machine: MachineNow) -> tuple[Ranked, ...]:
    """Return those for which there is room: for a context that is of use, else for any."""

    def holds(each: Ranked, context_tokens: int) -> bool:
        return least_bytes(each.option.need, context_tokens) <= budget_bytes(each.option, machine)

    def is_roomy(each: Ranked) -> bool:
        return holds(each, useful_context_tokens(each.option.form.details, machine.settings.engine))

    return _first(pool, (is_roomy, lambda each: holds(each, MIN_CONTEXT_TOKENS)))


def _fastest(fitting: tuple[Ranked, ...], serving: tuple[str, str] | None) -> Ranked:
    """Return the fastest; of those that only noise tells apart the one that serves now, then the smallest."""
    fitting = tuple(filter(is_proven, fitting)) or fitting
    best_s = min(map(_time, fitting))
    near = [each for each in fitting if _time(each) <= best_s * (1 + NOISE_RATIO)]
    if best_s == float("inf"):
        near = [next((each for each in fitting if each.option.key == serving), fitting[0])]
    return min(near, key=lambda each: (each.option.key != serving, least_bytes(each.option.need)))


def _time(ranked: Ranked) -> float:
    return float("inf") if ranked.time_s is None else ranked.time_s


def _impossible(asked: Asked, ranked: Sequence[Ranked], machine: MachineNow) -> BackendError:
    """Return why nothing here runs the model, with what mends it."""
    model, conversion = asked.model, _conversion(asked)
    if not ranked:
        return _unreadable(asked, [each.name for each in machine.descriptors])
    option = next((each.option for each in ranked if each.option.refusal is None), ranked[0].option)
    if option.refusal is not None:
        return BackendError(f"model '{model}': {option.refusal}{conversion}")
    mend = f"; mend it with: {option.backend.mend}" if option.backend.mend else conversion
    return BackendError(f"model '{model}' needs the backend {option.backend.name}: {option.backend.message}{mend}")


def _unknown(asked: Asked, forced: Forced, ranked: Sequence[Ranked], machine: MachineNow) -> ApplianceError:
    """Return that no way of running the model is called so: what is a backend's name does not read its files."""
    meant = [each.name for each in machine.descriptors if not ranked or each.name == forced.variant]
    if meant or not ranked:
        return _unreadable(asked, meant)
    said = "" if forced.by == "name" else "models.variants: "
    known = ", ".join(each.option.variant for each in ranked)
    what = f"there is no variant {forced.variant!r} of this model"
    return ModelNotFound(f"{said}{asked.model!r}: {what}; there are: {known}", param="model")


def _unreadable(asked: Asked, backends: Sequence[str]) -> BackendError:
    """Return that none of the backends reads the model's format."""
    which = f"{backends[0]} does not run" if len(backends) == 1 else "no backend runs"
    format_ = asked.forms[0].artefact.format
    return BackendError(f"model '{asked.model}' is a {format_} file, which {which}{_conversion(asked)}")


def _conversion(asked: Asked) -> str:
    """Return what helps with a format from which others are made, and with others nothing."""
    artefact = asked.forms[0].artefact
    folder = PurePath(artefact.path).parent
    return f"; convert it: appliance models convert {folder}" if artefact.format == "safetensors" else ""
