"""`appliance explain`: what would run a model on this machine, and why not the others."""

import argparse

from appliance.core.measurement import Candidate, Explanation
from appliance.core.units import format_bytes
from appliance.words import tr

from .arguments import Group, add_command
from .context import Context
from .exits import DONE, FAILED
from .output import print_json, printable, table

DESCRIPTION = """
Show all ways of running an installed model on this machine, the one that is taken now first: how fast each is, as it
was measured here or as it is predicted until then, the memory that it takes, and why it was not chosen.

TIME is how long the usual work takes (a long prompt, one chat, eight chats at once), compared to the fastest that may
be chosen. A name with '@' forces one of the variants: appliance run NAME@VARIANT. It works without a daemon, too.
"""
EXAMPLES = """
appliance explain qwen3
appliance explain qwen3@Q4_K_M
appliance explain qwen3 --json
"""
HEADERS = ("VARIANT", "READS", "WRITES", "8 AT ONCE", "KNOWN", "MEMORY", "LOSS", "TIME", "")
_BAR_LENGTH = 20
_BY = {
    "name": "by its name",
    "setting": "by the settings",
    "measurement": "by measuring",
    "prediction": "by prediction, until it is measured",
    "only one": "the only one",
}


def register(group: Group) -> None:
    """Add the command."""
    parser = add_command(group, "explain", _run, "show what would run a model here, and why", DESCRIPTION, EXAMPLES)
    parser.add_argument("name", metavar="NAME", help="the model's name, as 'appliance models list' shows it")


def _run(arguments: argparse.Namespace, context: Context) -> int:
    from .offline import daemon_or_files

    found = daemon_or_files(context).explain(arguments.name)
    if context.is_json:
        print_json(found)
    else:
        print("\n".join(explanation_lines(found)))
    return DONE if found.problem is None else FAILED


def explanation_lines(found: Explanation) -> list[str]:
    """Return what a person reads: the choice, the table, and a sentence for each of the others."""
    lines = [printable(_headline(found)), ""]
    longest = max((each.time_ratio or 0.0 for each in found.candidates), default=0.0)
    rows = [_row(each, longest) for each in found.candidates]
    lines.append(table(HEADERS, rows, right=HEADERS[1:4] + HEADERS[5:7]))
    others = [each for each in found.candidates if not each.is_chosen]
    lines += ["", *(line for each in others for line in _why_not(each))] if others else []
    return lines + ([""] + [f"- {printable(reason)}" for reason in found.reasons] if found.reasons else [])


def _headline(found: Explanation) -> str:
    if found.problem is not None:
        return tr("{model} cannot run here: {problem}", model=found.model, problem=found.problem)
    way, why = found.candidates[0], tr(_BY[found.chosen_by or "only one"])
    runs = "{model} runs on {backend} as {variant}: {why}"
    return tr(runs, model=found.model, backend=way.backend, variant=way.variant, why=why)


def _row(candidate: Candidate, longest: float) -> tuple[str, ...]:
    speed, ratio = candidate.speed, candidate.time_ratio
    return (
        candidate.variant,
        _speed(speed.prefill[-1].tokens_per_s if speed is not None and speed.prefill else None),
        _speed(speed.decode_1_tokens_per_s if speed is not None else None),
        _speed(speed.decode_8_tokens_per_s if speed is not None else None),
        "-" if speed is None else tr("measured") if candidate.is_measured else tr("predicted"),
        "-" if candidate.memory_bytes is None else format_bytes(candidate.memory_bytes),
        "-" if not candidate.loss_ratio else f"{candidate.loss_ratio:.1%}",
        "-" if ratio is None else f"{ratio:5.2f} {_bar(ratio, longest)}",
        tr("taken") if candidate.is_chosen else "" if candidate.is_ready else tr("not ready"),
    )


def _why_not(candidate: Candidate) -> list[str]:
    mend = [f"  {candidate.mend}"] if candidate.mend is not None else []
    return [printable(f"{candidate.variant}: {candidate.reason}"), *mend]


def _bar(ratio: float, longest: float) -> str:
    return "█" * max(1, round(_BAR_LENGTH * ratio / longest))


def _speed(tokens_per_s: float | None) -> str:
    if tokens_per_s is None:
        return "-"
    return f"{tokens_per_s:,.0f}" if tokens_per_s >= 10 else f"{tokens_per_s:.1f}"
