"""The targets that the settings name: who is told of everything, or of all that one caller asked for. Pure."""

from dataclasses import dataclass
from typing import cast

from appliance.core.notify import Target, TargetKind


@dataclass(frozen=True, slots=True)
class StandingTarget:
    """A target and the caller whose work it is told of, None: everybody's."""

    caller: str | None
    target: Target


def standing_target(text: str) -> StandingTarget:
    """Return what `[KEY ]KIND:ADDRESS` says. Its form was checked when the settings were read."""
    caller, _, named = text.rpartition(" ")
    kind, _, address = named.partition(":")
    return StandingTarget(caller or None, Target(kind=cast(TargetKind, kind), address=address))
