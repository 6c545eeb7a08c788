"""What the command line says of how a model fits this machine."""

from datetime import datetime

from appliance.core.catalogue import Fit
from appliance.core.measurement import Measurement
from appliance.core.units import format_bytes
from appliance.words import tr


def fit_facts(fit: Fit) -> list[tuple[str, str | None]]:
    """Return the lines of `models show` on memory, context, speed, licence and what the model can do."""
    facts: list[tuple[str, str | None]] = [("fits", _verdict(fit))]
    for at in fit.contexts:
        size = format_bytes(at.memory_bytes)
        needed = size if at.is_fitting else tr("{size}, too much now", size=size)
        facts.append((tr("with {number} tokens", number=at.context_tokens), needed))
    if fit.speed is not None:
        writes, reads = _rounded(fit.speed.decode_tokens_per_s), _rounded(fit.speed.prompt_tokens_per_s)
        facts.append(("writes", tr("about {speed} tokens/s", speed=writes)))
        facts.append(("reads a prompt", tr("at roughly {speed} tokens/s", speed=reads)))
        facts.append(("speed", fit.speed.basis))
    if fit.measured is not None:
        facts.append(("measured", _measured(fit.measured)))
    facts.append(("template", fit.template))
    facts.append(("made for", ", ".join(fit.capabilities) or None))
    if fit.licence_note is not None:
        facts.append(("licence asks" if fit.is_licence_allowed else "licence", fit.licence_note))
    return facts + [("note", note) for note in fit.notes]


def _measured(found: Measurement) -> str:
    """Return the speeds that were found here, and when."""
    speed = found.speed
    said = [
        tr("reads {speed} tokens/s of {number} at once", speed=_rounded(each.tokens_per_s), number=each.num_tokens)
        for each in speed.prefill
    ]
    if speed.decode_1_tokens_per_s is not None:
        said.append(tr("writes {speed} tokens/s", speed=_rounded(speed.decode_1_tokens_per_s)))
    if speed.decode_8_tokens_per_s is not None:
        said.append(tr("{speed} in 8 chats together", speed=_rounded(speed.decode_8_tokens_per_s)))
    day = f"{datetime.fromtimestamp(found.measured_s).astimezone():%Y-%m-%d}"
    when = tr("on {day} beside other programs", day=day) if found.is_disturbed else tr("on {day}", day=day)
    return f"{', '.join(said)}; {when}"


def catalogue_facts(fit: Fit) -> list[tuple[str, str | None]]:
    """Return the lines on a model that is not here."""
    count = None if fit.num_parameters is None else f"{fit.num_parameters / 1e9:.3g}B"
    weights = None if fit.weights_bytes is None else tr("about {size}", size=format_bytes(fit.weights_bytes))
    trained = None if fit.trained_context_tokens is None else tr("{number} tokens", number=fit.trained_context_tokens)
    return [
        ("name", fit.name),
        ("state", tr("not installed; get it with: appliance pull {name}", name=fit.name)),
        ("from", fit.reference),
        ("parameters", count),
        ("quantization", fit.quantization),
        ("weights", weights),
        ("trained context", trained),
        ("licence", fit.licence),
        *fit_facts(fit),
    ]


def _verdict(fit: Fit) -> str:
    size = format_bytes(fit.budget_bytes)
    if fit.max_context_tokens is None:
        return tr("no; {size} may be used now", size=size)
    longest = "with up to {number} tokens of context; {size} may be used now"
    return tr(longest, number=fit.max_context_tokens, size=size)


def _rounded(speed: float) -> str:
    return f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}"
