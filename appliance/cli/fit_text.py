"""What the command line says of how a model fits this machine."""

from datetime import datetime

from appliance.core.catalogue import Fit
from appliance.core.measurement import Measurement
from appliance.core.units import format_bytes


def fit_facts(fit: Fit) -> list[tuple[str, str | None]]:
    """Return the lines of `models show` on memory, context, speed, licence and what the model can do."""
    facts: list[tuple[str, str | None]] = [("fits", _verdict(fit))]
    for at in fit.contexts:
        mark = "" if at.is_fitting else ", too much now"
        facts.append((f"with {at.context_tokens} tokens", f"{format_bytes(at.memory_bytes)}{mark}"))
    if fit.speed is not None:
        facts.append(("writes", f"about {_rounded(fit.speed.decode_tokens_per_s)} tokens/s"))
        facts.append(("reads a prompt", f"at roughly {_rounded(fit.speed.prompt_tokens_per_s)} tokens/s"))
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
    said = [f"reads {_rounded(each.tokens_per_s)} tokens/s of {each.num_tokens} at once" for each in speed.prefill]
    if speed.decode_1_tokens_per_s is not None:
        said.append(f"writes {_rounded(speed.decode_1_tokens_per_s)} tokens/s")
    if speed.decode_8_tokens_per_s is not None:
        said.append(f"{_rounded(speed.decode_8_tokens_per_s)} in 8 chats together")
    day = f"{datetime.fromtimestamp(found.measured_s).astimezone():%Y-%m-%d}"
    return f"{', '.join(said)}; on {day}" + (" beside other programs" if found.is_disturbed else "")


def catalogue_facts(fit: Fit) -> list[tuple[str, str | None]]:
    """Return the lines on a model that is not here."""
    count = None if fit.num_parameters is None else f"{fit.num_parameters / 1e9:.3g}B"
    weights = None if fit.weights_bytes is None else "about " + format_bytes(fit.weights_bytes)
    return [
        ("name", fit.name),
        ("state", f"not installed; get it with: appliance pull {fit.name}"),
        ("from", fit.reference),
        ("parameters", count),
        ("quantization", fit.quantization),
        ("weights", weights),
        ("trained context", None if fit.trained_context_tokens is None else f"{fit.trained_context_tokens} tokens"),
        ("licence", fit.licence),
        *fit_facts(fit),
    ]


def _verdict(fit: Fit) -> str:
    budget = f"{format_bytes(fit.budget_bytes)} may be used now"
    if fit.max_context_tokens is None:
        return f"no; {budget}"
    return f"with up to {fit.max_context_tokens} tokens of context; {budget}"


def _rounded(speed: float) -> str:
    return f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}"
