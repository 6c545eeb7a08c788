"""What the child tells the parent, a line of JSON each, as soon as it knows it: a hang later takes nothing back."""

import msgspec

from appliance.core.hardware import Accelerator, AcceleratorReadings


class Began(msgspec.Struct, frozen=True, tag="began"):
    """A probe starts. The last one that began is the one that hangs, if anything does."""

    probe: str


class Found(msgspec.Struct, frozen=True, tag="found"):
    """An accelerator; it replaces what was said before under the same id."""

    accelerator: Accelerator


class Measured(msgspec.Struct, frozen=True, tag="measured"):
    """What an accelerator does now; it replaces what was said before under the same id."""

    readings: AcceleratorReadings


class Noted(msgspec.Struct, frozen=True, tag="noted"):
    """Something that could not be found out."""

    text: str


Message = Began | Found | Measured | Noted
