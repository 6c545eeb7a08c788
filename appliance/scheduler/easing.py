"""How far to hold back before the machine does it by force: the decision. Pure; others read sensors and act.

A processor that is slowed by force drops its clock for everything at once, often to a third, and swings between hot and
slow. Fewer threads and narrower steps keep it just below.
"""

from appliance.core.easing import FULL, Easing, Strain
from appliance.settings import PowerSettings

# Half the cores make about half the heat, and cost less than half the speed: what generates waits for memory.
_WARM_RATIO, _HOT_RATIO, _BATTERY_RATIO, _LOW_BATTERY_RATIO = 0.75, 0.5, 0.5, 0.25
_WARM_CELSIUS, _HOT_CELSIUS = 8.0, 3.0
_COOLED_CELSIUS = 6.0
"""How much cooler than where holding back began it has to be before it ends: else it would begin again at once."""
_LOW_BATTERY = 0.2


def ease(strain: Strain, before: Easing, settings: PowerSettings) -> Easing:
    """Return how hard to work now; of heat and battery, the one that asks for less decides."""
    eased = [FULL]
    if settings.when_hot == "ease":
        eased.append(_for_heat(strain, before))
    if settings.on_battery == "ease":
        eased.append(_for_battery(strain))
    return min(eased, key=lambda easing: easing.work_ratio)


def _for_heat(strain: Strain, before: Easing) -> Easing:
    if strain.is_throttled:
        why = "; ".join(strain.throttling) or "the machine does not say why"
        return _eased(_HOT_RATIO, f"the processor is slowed down ({why})")
    if strain.headroom_celsius is None:
        return FULL
    below = f"the processor is {strain.headroom_celsius:.0f} °C below the heat at which it slows itself down"
    margin = 0.0 if before.is_full else _COOLED_CELSIUS
    was_hot = before.work_ratio <= _HOT_RATIO
    if strain.headroom_celsius <= _HOT_CELSIUS + (margin if was_hot else 0.0):
        return _eased(_HOT_RATIO, below)
    return _eased(_WARM_RATIO, below) if strain.headroom_celsius <= _WARM_CELSIUS + margin else FULL


def _for_battery(strain: Strain) -> Easing:
    if strain.power_source != "battery":
        return FULL
    left = "" if strain.battery_ratio is None else f", {strain.battery_ratio:.0%} left"
    is_low = strain.battery_ratio is not None and strain.battery_ratio <= _LOW_BATTERY
    return _eased(_LOW_BATTERY_RATIO if is_low else _BATTERY_RATIO, f"the machine lives on its battery{left}")


def _eased(work_ratio: float, reason: str) -> Easing:
    return Easing(work_ratio=work_ratio, holds_batch=True, reason=reason)
