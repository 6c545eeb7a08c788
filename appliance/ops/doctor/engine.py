"""Checks of the engines: installed, started, and compiled for this very processor."""

from collections.abc import Collection

from appliance.core.doctor import Finding
from appliance.core.hardware import Instruction

from .facts import Check, EngineFacts, Facts, Outcome

# Dot products do four multiplications where floats do one. Measured on a Zen 5: 3 to 5 times; this is always there.
_LEAST_SPEEDUP_RATIO = 1.3


def engines(facts: Facts) -> Outcome:
    """Say of each engine whether it starts and uses what the processor has."""
    return tuple(_engine(facts, engine) for engine in facts.engines if _is_of_interest(engine))


def _is_of_interest(engine: EngineFacts) -> bool:
    """Return whether the engine is more than Python, compiled here or with kernels to choose from, or can be mended."""
    has_kernels = engine.instructions is not None and bool(engine.instructions.paths)
    descriptor = engine.descriptor
    is_mendable = descriptor.drawback is not None or (descriptor.state != "ready" and descriptor.mend is not None)
    return is_mendable or engine.rebuild_command is not None or has_kernels or engine.failure is not None


def _engine(facts: Facts, engine: EngineFacts) -> Finding:
    name, check = engine.descriptor.name, f"engine.{engine.descriptor.name}"
    mend = facts.install_command or engine.rebuild_command
    if engine.descriptor.state != "ready":
        return Finding(
            check=check,
            state="error",
            title=f"the engine {name} cannot run",
            reason=engine.descriptor.message,
            mend=facts.install_command or engine.descriptor.mend,
        )
    if engine.descriptor.drawback is not None:
        return Finding(
            check=check,
            state="note",
            title=f"the engine {name} could do better",
            reason=engine.descriptor.drawback,
            mend=engine.descriptor.mend,
        )
    if engine.failure is not None:
        return Finding(
            check=check, state="error", title=f"the engine {name} does not start", reason=engine.failure, mend=mend
        )
    if facts.snapshot is None or engine.instructions is None or not facts.snapshot.processor.instructions:
        return Finding(check=check, state="ok", title=f"the engine {name} is installed: {engine.descriptor.message}")
    if engine.instructions.paths:
        return _path(engine, facts.snapshot.processor.instructions)
    return _instructions(engine, facts.snapshot.processor.instructions, mend)


def _instructions(engine: EngineFacts, present: frozenset[Instruction], mend: str | None) -> Finding:
    name, check, told = engine.descriptor.name, f"engine.{engine.descriptor.name}", engine.instructions
    assert told is not None
    if missing := told.used - present:
        return Finding(
            check=check,
            state="error",
            title=f"the engine {name} was compiled for another processor",
            reason=f"it uses {_names(missing)}, which this processor does not offer: it will crash",
            mend=mend,
        )
    if unused := (told.usable & present) - told.used:
        worth = [told.worth[instruction] for instruction in sorted(unused) if instruction in told.worth]
        return Finding(
            check=check,
            state="warning",
            title=f"the engine {name} leaves instructions of this processor unused: {_names(unused)}",
            reason="; ".join(worth) or "what they are worth here was not measured; prompts gain most",
            mend=mend,
        )
    return Finding(
        check=check, state="ok", title=f"the engine {name} uses every instruction it can: {_names(told.used)}"
    )


def _path(engine: EngineFacts, present: frozenset[Instruction]) -> Finding:
    """Judge a library that chooses its kernels when it starts by what they were just measured to bring."""
    name, check, told = engine.descriptor.name, f"engine.{engine.descriptor.name}", engine.instructions
    assert told is not None
    path = next((instruction for instruction in told.paths if instruction in present), None)
    if path is None or not told.timings:
        return Finding(
            check=check,
            state="note",
            title=f"the engine {name} has no integer kernels for this processor: floats serve",
        )
    figures = " and ".join(
        f"{timing.integer_speedup_ratio:.1f} times for {timing.num_rows} row{'s' * (timing.num_rows > 1)}"
        for timing in told.timings
    )
    if path in told.dot_products and max(t.integer_speedup_ratio for t in told.timings) < _LEAST_SPEEDUP_RATIO:
        return Finding(
            check=check,
            state="warning",
            title=f"the engine {name} does not make use of {_names((path,))}",
            reason=f"integers were only {figures} as fast as floats: version {engine.descriptor.version} may lack the "
            "kernels, or other programs keep the processor busy; look again when it idles",
            mend=engine.descriptor.mend,
        )
    return Finding(
        check=check,
        state="ok",
        title=f"the engine {name} takes the integer path ({_names((path,))}): {figures} as fast as the float path "
        "on this processor",
    )


def _names(instructions: Collection[Instruction]) -> str:
    return ", ".join(instruction.label for instruction in sorted(instructions)) or "none"


CHECKS: tuple[Check, ...] = (engines,)
