"""Why a way of running a model was taken, or not, in words and numbers. Pure."""

from datetime import UTC, datetime

from appliance.backends.asked import MachineNow
from appliance.backends.choice import Choice, Ranked, embeds, is_proven, is_switched_off, is_within_loss
from appliance.backends.limits import least_bytes, useful_context_tokens
from appliance.backends.objective import NOISE_RATIO
from appliance.backends.options import Option
from appliance.backends.rooms import budget_bytes
from appliance.core.units import format_bytes


def why_chosen(choice: Choice, forced: str | None, serving: tuple[str, str] | None) -> str:
    """Return the one sentence on what is taken."""
    chosen, rival = choice.chosen, choice.rival
    name = chosen.option.backend.name
    if choice.by == "name":
        return f"{name}: the name asks for {forced}"
    if choice.by == "setting":
        return f"{name}: set by {'models.variants' if forced else 'engine.backend'}"
    if rival is None and len(choice.pool) > 1:
        return f"{chosen.option.variant} is all that there is room for{_speed(chosen)}"
    if rival is None:
        return f"{name} is all that runs it here{_speed(chosen)}"
    comparison = compare(chosen, rival)
    if comparison is None:
        return f"{name}: nothing is known of the speed of any other"
    if not is_proven(rival) and _is_faster(rival, chosen):
        unproven = f"{rival.option.variant} has to be measured before anything is lost for it"
        return f"{chosen.option.variant} loses nothing, and {unproven}: {compare(rival, chosen)}"
    if _is_near(chosen, rival):
        why = "is loaded now" if chosen.option.key == serving else "needs less memory"
        near = f"is as fast as {_name(rival, chosen)}, within {NOISE_RATIO:.0%}"
        return f"{_name(chosen, rival)} {why}, and {near}: {comparison}"
    return comparison


def compare(ours: Ranked, theirs: Ranked) -> str | None:
    """Return how many times as fast the one is as the other, and how that is known; None where it is not."""
    if ours.speed is None or theirs.speed is None or ours.time_s is None or theirs.time_s is None:
        return None
    prompts = ours.speed.prefill[-1].tokens_per_s / theirs.speed.prefill[-1].tokens_per_s
    said = f"reads prompts {prompts:.1f} times"
    one, their_one = ours.speed.decode_1_tokens_per_s, theirs.speed.decode_1_tokens_per_s
    eight, their_eight = ours.speed.decode_8_tokens_per_s, theirs.speed.decode_8_tokens_per_s
    if one and their_one and eight and their_eight:
        said = f"{said} and writes {one / their_one:.1f} times (8 at once: {eight / their_eight:.1f})"
    return f"{_name(ours, theirs)} {said} as fast as {_name(theirs, ours)}, {_source(ours, theirs)}"


def why_not(ranked: Ranked, choice: Choice, machine: MachineNow) -> tuple[str, str | None]:
    """Return why another was taken, and the command that would change it, if one does."""
    option = ranked.option
    if option.refusal is not None:
        return option.refusal, None
    if option.backend.state != "ready":
        return option.backend.message, option.backend.mend
    if not is_within_loss(option, machine):
        return _loss(option, machine), None
    if ranked in choice.fitting:
        return _slower(ranked, choice.chosen), None
    if ranked in choice.pool:
        return _too_large(ranked, machine), None
    if option.preparation is not None and not option.is_prepared:
        return f"{option.preparation.missing}{_gain(ranked, choice.chosen)}", option.preparation.mend
    if is_switched_off(option, machine):
        return "engine.kernels is off", None
    return _asked_for(choice, machine), None


def _asked_for(choice: Choice, machine: MachineNow) -> str:
    """Return what left no choice."""
    if choice.by == "name":
        return "the name asks for another"
    set_backend = machine.settings.engine.backend
    is_global = choice.by == "setting" and set_backend == choice.chosen.option.backend.name
    return f"engine.backend is {set_backend}" if is_global else "models.variants asks for another"


def _slower(ranked: Ranked, chosen: Ranked) -> str:
    if ranked.time_s is None or chosen.time_s is None:
        return "nothing is known of its speed"
    if not is_proven(ranked) and _is_faster(ranked, chosen):
        gain = f"takes {ranked.time_s / chosen.time_s:.2f} times as long, {_source(ranked)}"
        return f"{gain}; since it loses {ranked.option.form.loss_ratio:.1%}, it has to be measured first"
    if _is_near(ranked, chosen):
        return f"as fast, within {NOISE_RATIO:.0%}"
    return f"takes {ranked.time_s / chosen.time_s:.2f} times as long, {_source(ranked)}"


def _gain(ranked: Ranked, chosen: Ranked) -> str:
    """Return what would be won, as far as that can be told beforehand."""
    if ranked.time_s is None or chosen.time_s is None:
        return ""
    return f"; then it would take {ranked.time_s / chosen.time_s:.2f} times as long, {_source(ranked)}"


def _too_large(ranked: Ranked, machine: MachineNow) -> str:
    option = ranked.option
    tokens = useful_context_tokens(option.form.details, machine.settings.engine)
    needed, budget = format_bytes(least_bytes(option.need, tokens)), format_bytes(max(0, budget_bytes(option, machine)))
    return f"needs {needed} with a context of {tokens} tokens, {budget} may be used"


def _loss(option: Option, machine: MachineNow) -> str:
    loss_ratio, allowed = option.form.loss_ratio, machine.settings.engine.max_loss_ratio
    if loss_ratio is None:
        return "what it lost was not measured"
    if embeds(option):
        return f"it loses {loss_ratio:.1%}, and vectors that are kept would no longer match; its own name asks for it"
    return f"it loses {loss_ratio:.1%}, and {allowed:.1%} may be lost (engine.max_loss_ratio)"


def _is_faster(ours: Ranked, theirs: Ranked) -> bool:
    return ours.time_s is not None and theirs.time_s is not None and ours.time_s < theirs.time_s


def _is_near(ours: Ranked, theirs: Ranked) -> bool:
    if ours.time_s is None or theirs.time_s is None:
        return False
    shorter, longer = sorted((ours.time_s, theirs.time_s))
    return longer <= shorter * (1 + NOISE_RATIO)


def _name(ours: Ranked, theirs: Ranked) -> str:
    """Return a backend's name, with the quantization where that is what tells two apart."""
    is_alike = ours.option.form.artefact.digest == theirs.option.form.artefact.digest
    return ours.option.backend.name if is_alike else ours.option.variant


def _source(*ranked: Ranked) -> str:
    measured = [each.option.measured for each in ranked if each.option.measured is not None]
    days = sorted({f"{datetime.fromtimestamp(each.measured_s, UTC):%Y-%m-%d}" for each in measured})
    if not measured:
        return "as predicted"
    here = f"measured here on {' and '.join(days)}"
    if len(measured) == len(ranked):
        disturbed = " beside other programs" if any(each.is_disturbed for each in measured) else ""
        return here + disturbed
    (known,) = (each for each in ranked if each.is_measured)
    (other,) = (each for each in ranked if not each.is_measured)
    return f"{_name(known, other)} as {here}, the other as predicted"


def _speed(ranked: Ranked) -> str:
    speed, details = ranked.speed, ranked.option.form.details
    if speed is None or not speed.prefill or (details is not None and details.is_transcriber):
        return ""  # of what hears, tokens say nothing to a person
    said = f": it reads {_rounded(speed.prefill[-1].tokens_per_s)}"
    if speed.decode_1_tokens_per_s is not None:
        said += f" and writes {_rounded(speed.decode_1_tokens_per_s)}"
    return f"{said} tokens/s, {_source(ranked)}"


def _rounded(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}"
