"""How much room an option gets, and where: main memory and that of a GPU, divided by what `placement` says. Pure."""

from dataclasses import dataclass

from appliance.backends.asked import MachineNow
from appliance.backends.limits import Room, room_for
from appliance.backends.options import Option
from appliance.backends.placement import Placement, own_memory_bytes, place, whole_capacity_tokens


@dataclass(frozen=True, slots=True)
class Placed:
    """The room of a model, and the devices that it lies on."""

    room: Room
    placement: Placement

    @property
    def main_bytes(self) -> int:
        """Return what it takes of main memory, prefixes that left the KV cache among it."""
        return self.placement.main_bytes + self.room.kept_bytes


def budget_bytes(option: Option, machine: MachineNow) -> int:
    """Return the memory that there is for an option, that of a GPU among it where its backend uses one."""
    return machine.budget_bytes + own_memory_bytes(option.backend.gpus, machine.settings.engine)


def placed(model: str, option: Option, machine: MachineNow) -> Placed:
    """Return the room of an option. Raises: DoesNotFit; BackendError, where a device was set that cannot serve.

    What a GPU really takes is whole layers, which is less than it holds: main memory has to have the rest.
    """
    extra_bytes = budget_bytes(option, machine) - machine.budget_bytes
    found = _placed(model, option, machine, extra_bytes)
    if found.main_bytes > machine.budget_bytes and extra_bytes:
        found = _placed(model, option, machine, found.room.estimated_bytes - found.main_bytes)
    if found.main_bytes > machine.budget_bytes and extra_bytes:
        found = _placed(model, option, machine, 0)
    return found


def _placed(model: str, option: Option, machine: MachineNow, extra_bytes: int) -> Placed:
    settings, details, gpus = machine.settings, option.form.details, option.backend.gpus
    room = room_for(
        model,
        details,
        option.need,
        option.limits,
        settings.engine,
        settings.kv,
        machine.budget_bytes + extra_bytes,
        whole_capacity_tokens(option.need, details, gpus, settings.engine),
    )
    return Placed(room, place(option.need, details, gpus, settings.engine, room.capacity_tokens))
