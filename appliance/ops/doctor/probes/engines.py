"""What the installed engines say of themselves."""

from collections.abc import Sequence

from appliance.backends.registry import instructions, rebuild_command
from appliance.core.plan import BackendDescriptor
from appliance.errors import BackendError
from appliance.ops.doctor.facts import EngineFacts


def look_at_engines(descriptors: Sequence[BackendDescriptor], timeout_s: float) -> tuple[EngineFacts, ...]:
    """Ask every engine that is installed what it was compiled for, each in a child process."""
    return tuple(_engine(descriptor, timeout_s) for descriptor in descriptors)


def _engine(descriptor: BackendDescriptor, timeout_s: float) -> EngineFacts:
    failure, told = None, None
    try:
        told = instructions(descriptor.name, timeout_s)
    except BackendError as error:
        failure = error.message
    return EngineFacts(
        descriptor=descriptor,
        instructions=told,
        failure=failure,
        rebuild_command=rebuild_command(descriptor.name),
    )
