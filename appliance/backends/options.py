"""The ways in which a model could be run here: each of its forms on each backend that reads it, with what it takes."""

from collections.abc import Iterator
from dataclasses import dataclass

from appliance.backends import registry
from appliance.backends.asked import Asked, Form, MachineNow
from appliance.backends.description import Preparation
from appliance.backends.limits import choose_kv_type, choose_limits, largest_call, useful_context_tokens
from appliance.backends.placement import place
from appliance.backends.prior import Predicted, Work
from appliance.core.measurement import Measurement
from appliance.core.plan import BackendDescriptor, MemoryEstimate, StepLimits
from appliance.errors import BackendError


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A form on a backend. `refusal` says why that backend does not run this model, if so.

    `preparation` is what has to be made of the files for this backend, None where it runs them as they are.
    """

    form: Form
    backend: BackendDescriptor
    limits: StepLimits
    need: MemoryEstimate
    kv_reasons: tuple[str, ...]
    preparation: Preparation | None
    refusal: str | None
    predicted: Predicted | None
    measured: Measurement | None

    @property
    def variant(self) -> str:
        """Return what a name forces it with: the backend and the quantization as it is computed with."""
        made = self.preparation.quantization if self.preparation is not None else None
        quantization = made or self.form.quantization
        return f"{self.backend.name}-{quantization}" if quantization else self.backend.name

    @property
    def key(self) -> tuple[str, str]:
        """Return the files and what runs them, which is what a loaded model is known by."""
        return self.form.artefact.digest, self.backend.name

    @property
    def is_prepared(self) -> bool:
        """Return whether it can be loaded without first making something of the files."""
        return self.preparation is None or self.preparation.is_done

    def answers_to(self, variant: str) -> bool:
        """Return whether a name with that variant may mean it: `tvm`, `Q4_0`, `tvm-Q4_0` and, of `Q4_0`, also `q4`."""
        wanted = variant.casefold()
        names = (self.backend.name, self.variant, self.form.quantization or "", self.variant.partition("-")[2])
        return any(name.casefold() == wanted or name.casefold().startswith(f"{wanted}_") for name in names)


def options(asked: Asked, machine: MachineNow) -> tuple[Option, ...]:
    """Return all of them: own files before what was made of them, the preferred backend first."""
    return tuple(_options(asked, machine))


def _options(asked: Asked, machine: MachineNow) -> Iterator[Option]:
    for form in asked.forms:
        for descriptor in machine.descriptors:
            if form.artefact.format in descriptor.formats:
                yield _option(form, descriptor, asked, machine)


def _option(form: Form, descriptor: BackendDescriptor, asked: Asked, machine: MachineNow) -> Option:
    engine, snapshot = machine.settings.engine, machine.snapshot
    limits = choose_limits(engine, snapshot.processor.usable_cores)
    kv_type, kv_reasons = choose_kv_type(descriptor, form.details, engine)
    call = largest_call(form.details, engine, limits)
    need = registry.estimate(descriptor.name, form.artefact, form.details, call, kv_type)
    work = Work(
        details=form.details,
        need=need,
        snapshot=snapshot,
        bandwidth=machine.bandwidth,
        num_active_parameters=asked.num_active_parameters,
        gpu_ratio=_gpu_ratio(form, descriptor, need, machine),
    )
    measured = machine.measured(form.artefact.digest, descriptor.name, kv_type)
    return Option(
        form=form,
        backend=descriptor,
        limits=limits,
        need=_corrected(need, measured),
        kv_reasons=kv_reasons,
        preparation=registry.preparation(descriptor.name, form.model, form.artefact, form.details, snapshot),
        refusal=registry.refusal(descriptor.name, form.details)
        or _loses_media(form, descriptor, asked)
        or _loses_adapters(descriptor, asked),
        predicted=registry.prior(descriptor.name, work),
        measured=measured,
    )


def _loses_media(form: Form, descriptor: BackendDescriptor, asked: Asked) -> str | None:
    """Return why a way of running a model is not taken that could read only text, where the model reads more.

    Whoever names that way wants it so.
    """
    reads_more = bool(asked.forms[0].artefact.projector_path)
    if asked.forced is not None or not reads_more or (descriptor.reads_media and form.artefact.projector_path):
        return None
    return "pictures and sound, which this model reads through its projector, would not be read"


def _loses_adapters(descriptor: BackendDescriptor, asked: Asked) -> str | None:
    """Return why a backend cannot apply the adapters that are asked for, if so."""
    most = descriptor.max_adapters_per_step
    if asked.num_adapters <= most:
        return None
    return (
        f"{descriptor.name} applies at most {most} adapters at once" if most else f"{descriptor.name} takes no adapters"
    )


def _gpu_ratio(form: Form, descriptor: BackendDescriptor, need: MemoryEstimate, machine: MachineNow) -> float:
    """Return the part of the layers that a GPU with memory of its own would take with one sequence of use in it."""
    engine, details = machine.settings.engine, form.details
    if not descriptor.gpus or details is None or not details.num_layers:
        return 0.0
    try:
        placement = place(need, details, descriptor.gpus, engine, useful_context_tokens(details, engine))
    except BackendError:  # a device was set that cannot serve: whoever plans says it
        return 0.0
    return placement.gpu_layers / (details.num_layers + 1) if placement.device_bytes else 0.0


def _corrected(need: MemoryEstimate, measured: Measurement | None) -> MemoryEstimate:
    """Return the need with what was found to be missing in it.

    Where less was found it stays: a part of the KV cache that nobody has written to takes nothing yet.
    """
    if measured is None or measured.memory_bytes <= measured.estimated_bytes:
        return need
    missing_bytes = measured.memory_bytes - measured.estimated_bytes
    return MemoryEstimate(
        weights_bytes=need.weights_bytes,
        kv_bytes_per_token=need.kv_bytes_per_token,
        kv_type=need.kv_type,
        scratch_bytes=need.scratch_bytes + missing_bytes,
    )
