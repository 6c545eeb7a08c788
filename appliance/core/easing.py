"""How hard the machine may work now: all it can, or less while it is hot or lives on its battery."""

from typing import Literal

import msgspec


class Strain(msgspec.Struct, frozen=True, kw_only=True):
    """What speaks against full work at one moment. What could not be read is None.

    `headroom_celsius` is how far the processor's hottest sensor is below the temperature at which its maker slows it.
    """

    headroom_celsius: float | None = None
    is_throttled: bool | None = None
    throttling: tuple[str, ...] = ()
    power_source: Literal["mains", "battery"] | None = None
    battery_ratio: float | None = None


class Easing(msgspec.Struct, frozen=True, kw_only=True):
    """What models may use of their threads and of the width of a step, `work_ratio` of both, and why.

    `holds_batch`: work of the lowest class waits. The reason is empty where nothing is held back.
    """

    work_ratio: float = 1.0
    holds_batch: bool = False
    reason: str = ""

    @property
    def is_full(self) -> bool:
        """Return whether nothing is held back."""
        return self.work_ratio >= 1.0 and not self.holds_batch


FULL = Easing()
