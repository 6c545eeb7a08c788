"""Checks of main memory: room for the default model, swap, and limits from outside."""

from datetime import datetime

from appliance.core.doctor import Finding
from appliance.core.units import format_bytes

from .facts import Check, Facts, Outcome

_HEAVY_SWAP_RATIO = 0.1
_LITTLE_MEMORY_RATIO = 0.2
_LOW_LIMIT_RATIO = 0.5
_SMALLEST_MODEL = "guide"
_RECENT_S = 7 * 86400.0


def default_model(facts: Facts) -> Outcome:
    """Say whether the default model fits into this machine, and into what is free now."""
    models = facts.models
    if models.misfit is not None:
        return Finding(
            check="memory.default_model",
            state="error",
            title="this machine has too little memory for the default model",
            reason=models.misfit,
            mend=None if models.default_model == _SMALLEST_MODEL else f"appliance serve --model {_SMALLEST_MODEL}",
        )
    if models.misfit_now is not None:
        return Finding(
            check="memory.default_model",
            state="warning",
            title="too little memory is free for the default model now",
            reason=models.misfit_now,
            mend="ps -eo pid,rss,comm --sort=-rss | head",
        )
    if not models.default_model or models.default_problem is not None:
        return None
    return Finding(check="memory.default_model", state="ok", title=f"the default model {models.default_model!r} fits")


def swap(facts: Facts) -> Outcome:
    """Say whether the machine lives on swap: a model that is read back from a disk answers at the disk's speed."""
    if facts.snapshot is None or facts.readings is None or facts.readings.swap_used_bytes is None:
        return None
    total_bytes, used_bytes = facts.snapshot.memory.total_bytes, facts.readings.swap_used_bytes
    available_bytes = facts.readings.memory_available_bytes
    if used_bytes < _HEAVY_SWAP_RATIO * total_bytes or available_bytes > _LITTLE_MEMORY_RATIO * total_bytes:
        return Finding(check="memory.swap", state="ok", title="memory does not have to be swapped out")
    return Finding(
        check="memory.swap",
        state="warning",
        title=f"{format_bytes(used_bytes)} are swapped out and only {format_bytes(available_bytes)} are free",
        reason="what is swapped out comes back at the speed of the disk; stop what takes the memory",
        mend="ps -eo pid,rss,comm --sort=-rss | head",
    )


def limit(facts: Facts) -> Outcome:
    """Say whether a control group keeps most of the machine's memory from us."""
    if facts.snapshot is None:
        return None
    memory, system = facts.snapshot.memory, facts.snapshot.system
    if memory.limit_bytes is None or memory.physical_bytes is None:
        return None
    if memory.limit_bytes >= _LOW_LIMIT_RATIO * memory.physical_bytes:
        return None
    in_docker = system.container == "docker"
    return Finding(
        check="memory.limit",
        state="note",
        title=f"{system.container or 'the control group'} leaves {format_bytes(memory.limit_bytes)} of this machine's "
        f"{format_bytes(memory.physical_bytes)} of memory",
        reason="larger models need a higher limit" + ("; set it on the host" if in_docker else ""),
        mend=f"docker update --memory {memory.physical_bytes * 3 // 4} --memory-swap -1 CONTAINER"
        if in_docker
        else None,
    )


def shortages(facts: Facts) -> Outcome:
    """Say when a model ran out of memory lately, and what it gave up to go on."""
    now_s = facts.clock.now_s
    recent = [each for each in facts.shortages if now_s is None or now_s - each.time_s < _RECENT_S]
    if not recent:
        return None
    last = recent[-1]
    times = "once" if len(recent) == 1 else f"{len(recent)} times"
    when = datetime.fromtimestamp(last.time_s).astimezone().strftime("%Y-%m-%d %H:%M")
    return Finding(
        check="memory.shortages",
        state="warning",
        title=f"memory ran out {times} in the last week, for model {last.model!r} on {when}",
        reason=f"it went on: {last.measure}; a smaller quantization, or engine.context_tokens set lower, leaves room",
        mend=f"appliance models show {last.model}",
    )


CHECKS: tuple[Check, ...] = (default_model, swap, limit, shortages)
