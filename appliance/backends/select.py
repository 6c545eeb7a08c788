"""How a model runs on this machine, from its forms, the backends, memory, settings and measurements. Pure.

The choice itself is `choice.py`; here it becomes a plan, or an explanation of it and of what else there was.
"""

from collections.abc import Callable

from appliance.backends.asked import Asked, MachineNow
from appliance.backends.choice import Choice, Ranked, choose, is_possible
from appliance.backends.limits import least_bytes
from appliance.backends.options import Option, options
from appliance.backends.placement import CPU
from appliance.backends.rooms import placed
from appliance.backends.words import why_chosen, why_not
from appliance.core.measurement import Candidate, Explanation
from appliance.core.plan import LoadPlan, SnapshotTiers
from appliance.errors import BackendError, DoesNotFit


def select(asked: Asked, machine: MachineNow) -> LoadPlan:
    """Return the plan for a model.

    Raises: BackendError (nothing here runs it), ModelNotFound (the variant), DoesNotFit, each with what mends it.
    """
    return _plan(asked, choose(asked, options(asked, machine), machine), machine)


def best(asked: Asked, machine: MachineNow) -> Option:
    """Return how a model would run, whether there is room for it or not. Raises: BackendError, ModelNotFound."""
    return choose(asked, options(asked, machine), machine).chosen.option


def explain(
    asked: Asked, machine: MachineNow, completed: Callable[[LoadPlan], LoadPlan] = lambda plan: plan
) -> Explanation:
    """Say what would be taken now and why not the others; where nothing can be, what the problem is.

    `completed` adds to the plan what others know of it. Raises: ModelNotFound (the variant).
    """
    found = options(asked, machine)
    try:
        choice = choose(asked, found, machine)
    except BackendError as error:
        return Explanation(
            model=asked.model,
            task=asked.task,
            chosen_by=None,
            candidates=tuple(map(_impossible, found)),
            problem=error.message,
        )
    try:
        plan = completed(_plan(asked, choice, machine))
    except (BackendError, DoesNotFit) as error:
        candidates = _candidates(asked, choice, machine, None)
        return Explanation(
            model=asked.model, task=asked.task, chosen_by=None, candidates=candidates, problem=error.message
        )
    return Explanation(
        model=asked.model,
        task=asked.task,
        chosen_by=choice.by,
        candidates=_candidates(asked, choice, machine, plan),
        reasons=plan.reasons,
        context_tokens=plan.context_tokens,
        kv_type=plan.kv_type,
        threads_decode=plan.threads_decode,
        threads_prefill=plan.threads_prefill,
    )


def _plan(asked: Asked, choice: Choice, machine: MachineNow) -> LoadPlan:
    chosen, snapshot, engine = choice.chosen, machine.snapshot, machine.settings.engine
    option = chosen.option
    backend, limits = option.backend, option.limits
    found = placed(asked.model, option, machine)
    room, placement = found.room, found.placement
    threads = engine.threads or snapshot.processor.usable_cores
    return LoadPlan(
        model=asked.model,
        backend=backend.name,
        artefact=option.form.artefact,
        variant=option.variant,
        expected=chosen.speed,
        device=placement.device,
        context_tokens=room.context_tokens,
        kv_capacity_tokens=room.capacity_tokens,
        max_sequences=limits.max_sequences,
        max_step_sequences=limits.max_step_sequences,
        max_step_tokens=limits.max_step_tokens,
        threads_decode=threads,
        threads_prefill=threads,
        kv_type=option.need.kv_type,
        gpu_layers=placement.gpu_layers,
        step_time_target_s=engine.step_time_target_s,
        provider=engine.provider,
        device_fallback=engine.device_fallback,
        device_problem=placement.problem,
        device_bytes=placement.device_bytes,
        gpus=backend.gpus,
        accelerators=snapshot.accelerators,
        instructions=snapshot.processor.instructions,
        snapshots=SnapshotTiers(memory_bytes=room.kept_bytes),
        estimated_bytes=found.main_bytes,
        reasons=(
            *_why(asked, choice, machine),
            *placement.reasons,
            *room.reasons,
            *option.kv_reasons,
            f"{threads} threads: " + ("set" if engine.threads else "one for each physical core that may be used"),
        ),
    )


def _why(asked: Asked, choice: Choice, machine: MachineNow) -> tuple[str, ...]:
    """Return why this backend, in one sentence, and what else there is to say of it."""
    backend, form = choice.chosen.option.backend, choice.chosen.option.form
    forced, wanted = asked.forced, machine.settings.engine.backend
    reasons = [
        why_chosen(choice, forced.variant if forced else None, asked.serving),
        f"{backend.name}: {backend.message}",
    ]
    if form is not asked.forms[0]:
        loss = "it lost nothing" if not form.loss_ratio else f"it lost {form.loss_ratio:.1%}"
        reasons.append(f"the files of {form.model}, which were made of this model: {loss}")
    if forced is None and wanted != "auto" and choice.by != "setting":
        reasons.append(f"engine.backend is {wanted}, which does not run this model")
    return tuple(reasons)


def _candidates(asked: Asked, choice: Choice, machine: MachineNow, plan: LoadPlan | None) -> tuple[Candidate, ...]:
    """Return all of them, the chosen one first, the others by their speed."""
    others = [each for each in choice.ranked if plan is None or each is not choice.chosen]
    by_speed = sorted(others, key=lambda each: float("inf") if each.time_s is None else each.time_s)
    rows = [_candidate(each, choice, machine, *why_not(each, choice, machine)) for each in by_speed]
    if plan is None:
        return tuple(rows)
    chosen = _candidate(choice.chosen, choice, machine, plan.reasons[0], None, plan)
    return (chosen, *rows)


def _candidate(
    ranked: Ranked, choice: Choice, machine: MachineNow, reason: str, mend: str | None, plan: LoadPlan | None = None
) -> Candidate:
    option, form = ranked.option, ranked.option.form
    device, memory_bytes = _place_of(option, machine) if plan is None else (plan.device, plan.estimated_bytes)
    times = [each.time_s for each in choice.pool if each.time_s is not None]
    return Candidate(
        variant=option.variant,
        backend=option.backend.name,
        device=device,
        model=form.model,
        format=form.artefact.format,
        quantization=form.quantization,
        is_chosen=plan is not None,
        is_ready=is_possible(option) and option.is_prepared,
        reason=reason,
        mend=mend,
        speed=None if form.details is not None and form.details.is_transcriber else ranked.speed,  # as in `words.py`
        is_measured=ranked.is_measured,
        memory_bytes=memory_bytes,
        loss_ratio=form.loss_ratio,
        time_ratio=ranked.time_s / min(times) if ranked.time_s is not None and times else None,
    )


def _impossible(option: Option) -> Candidate:
    return Candidate(
        variant=option.variant,
        backend=option.backend.name,
        device=CPU,
        model=option.form.model,
        format=option.form.artefact.format,
        quantization=option.form.quantization,
        is_chosen=False,
        is_ready=is_possible(option) and option.is_prepared,
        reason=option.refusal or option.backend.message,
        mend=None if option.refusal is not None else option.backend.mend,
        loss_ratio=option.form.loss_ratio,
    )


def _place_of(option: Option, machine: MachineNow) -> tuple[str, int]:
    """Return where it would be computed, and the main memory that it would take, at least what it cannot do without."""
    try:
        found = placed(option.form.model, option, machine)
    except (BackendError, DoesNotFit):
        return CPU, least_bytes(option.need)
    return found.placement.device, found.main_bytes
