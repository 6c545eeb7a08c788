"""What `appliance doctor` finds: the wire structs of `GET /admin/v1/doctor`."""

from typing import Literal

import msgspec

State = Literal["ok", "note", "warning", "error"]
"""`note` is good to know, `warning` costs speed or safety, `error` keeps something from working."""

STATES: tuple[State, ...] = ("ok", "note", "warning", "error")
"""From the best to the worst."""


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """A small change to the state folder that loses nothing. Carried out only on the machine that found it."""

    kind: Literal["set_mode", "make_folder", "remove_file"]
    path: str
    mode: int | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `mend` is the exact command, None where no command can mend it.

    `check` names what was looked at, for programs (`keys.mode`). With `repair`, `appliance doctor --fix` can mend it.
    """

    check: str
    state: State
    title: str
    reason: str | None = None
    mend: str | None = None
    repair: Repair | None = None


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/doctor`: the findings, the worst first."""

    findings: tuple[Finding, ...]
    worst: State
