"""Whether a model fits this machine, with how long a context and how fast: one that is installed, or could be.

The memory is what the backends themselves say; nothing of it is counted here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.backends.select import Requirement, require
from appliance.core.catalogue import Fit, FitAt, Speed
from appliance.core.hardware import Bandwidth, HardwareSnapshot
from appliance.core.plan import Artefact, BackendDescriptor
from appliance.core.template_families import family_name, knows_thinking, knows_tools
from appliance.errors import ApplianceError
from appliance.settings import Settings
from models.catalogue.catalogue import CatalogueSource, Entry
from models.catalogue.expected import expected_details
from models.catalogue.licences import check as check_licence
from models.catalogue.name_check import check_name, evidence_of
from models.finding.facts import ModelFacts
from models.manifest import ModelDetails, ModelManifest

from .speed import predict

CONTEXTS = (2048, 8192, 32_768)
_LEAST_CONTEXT_TOKENS = 512
_ROUNDED_TO_TOKENS = 256


@dataclass(frozen=True, slots=True)
class MachineNow:
    """What decides whether a model fits: the machine, what can run models on it, and the memory that they may use."""

    snapshot: HardwareSnapshot
    descriptors: Sequence[BackendDescriptor]
    settings: Settings
    budget_bytes: int
    bandwidth: Bandwidth | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to be judged, and what is known of it. `evidence` is what tells whether its name is its own."""

    name: str
    is_installed: bool
    artefact: Artefact
    details: ModelDetails
    licence: str | None
    template: str | None
    capabilities: tuple[str, ...]
    evidence: tuple[str | None, ...] = ()
    reference: str | None = None
    num_active_parameters: int | None = None
    notes: tuple[str, ...] = ()


def fit(subject: Subject, machine: MachineNow) -> Fit:
    """Judge one model. Where nothing here runs it, the notes say what is missing."""
    details, verdict = subject.details, check_licence(subject.licence, machine.settings.models.allowed_licences)
    required, problem = _require(subject, machine)
    largest = None if required is None else largest_context(required, details, machine.budget_bytes)
    return Fit(
        name=subject.name,
        is_installed=subject.is_installed,
        reference=subject.reference,
        quantization=details.quantization,
        num_parameters=details.num_parameters,
        weights_bytes=None if required is None else required.need.weights_bytes,
        backend=None if required is None else required.backend.name,
        budget_bytes=max(0, machine.budget_bytes),
        contexts=() if required is None else tuple(_contexts(required, details, machine.budget_bytes)),
        trained_context_tokens=details.context_length_tokens,
        max_context_tokens=largest,
        speed=None if required is None else speed_of(subject, required, machine),
        licence=verdict.licence,
        licence_note=verdict.note if verdict.is_allowed else verdict.reason,
        is_licence_allowed=verdict.is_allowed,
        template=subject.template,
        capabilities=subject.capabilities,
        name_note=check_name(subject.name, subject.evidence),
        notes=(*problem, *subject.notes),
    )


def memory_bytes(required: Requirement, context_tokens: int) -> int:
    """Return the memory of a model with one sequence of this length."""
    need = required.need
    return need.weights_bytes + need.scratch_bytes + context_tokens * need.kv_bytes_per_token


def largest_context(required: Requirement, details: ModelDetails, budget_bytes: int) -> int | None:
    """Return the longest context that fits now, None where not even a short one does."""
    left_bytes = budget_bytes - memory_bytes(required, 0)
    tokens = left_bytes // max(1, required.need.kv_bytes_per_token)
    if details.context_length_tokens is not None and tokens >= details.context_length_tokens:
        return details.context_length_tokens
    return tokens // _ROUNDED_TO_TOKENS * _ROUNDED_TO_TOKENS if tokens >= _LEAST_CONTEXT_TOKENS else None


def speed_of(subject: Subject, required: Requirement, machine: MachineNow) -> Speed | None:
    """Return how fast it would write; None for a model that does not, and where its size is not known."""
    if subject.details.task != "generate" or not subject.details.num_parameters:
        return None
    return _predicted(subject, required, machine)


def prompt_speed_of(subject: Subject, required: Requirement, machine: MachineNow) -> float:
    """Return how many tokens it would read in a second: what counts for one that embeds or scores."""
    return _predicted(subject, required, machine).prompt_tokens_per_s


def _predicted(subject: Subject, required: Requirement, machine: MachineNow) -> Speed:
    total = max(1, subject.details.num_parameters or 0)
    active = subject.num_active_parameters or _active(subject.details)
    return predict(required.need, active, active / total, machine.snapshot, machine.bandwidth)


def subject_of_installed(name: str, manifest: ModelManifest, artefact: Artefact, facts: ModelFacts) -> Subject:
    """Return what the files of an installed model say."""
    details, origin = manifest.details, manifest.provenance
    return Subject(
        name=name,
        is_installed=True,
        artefact=artefact,
        details=details,
        licence=(origin.licence if origin else None) or details.licence,
        template=family_name(facts.template) if facts.template else None,
        capabilities=_capabilities(details, facts),
        evidence=evidence_of(manifest),
        reference=origin.reference if origin else manifest.source,
    )


def subject_of_entry(entry: Entry, source: CatalogueSource, quantization: str | None, reference: str) -> Subject:
    """Return what a model of the catalogue will be, with one of its sources."""
    model = entry.model
    details, notes = expected_details(model, source, quantization)
    return Subject(
        name=model.name,
        is_installed=False,
        artefact=Artefact(format=source.format, path="", digest=""),
        details=details,
        licence=model.licence,
        template=model.template,
        capabilities=model.capabilities,
        evidence=(model.title, entry.publisher, reference),
        reference=reference,
        num_active_parameters=model.num_active_parameters,
        notes=notes,
    )


def _require(subject: Subject, machine: MachineNow) -> tuple[Requirement | None, tuple[str, ...]]:
    engine = machine.settings.engine
    try:
        found = require(subject.name, subject.artefact, subject.details, machine.snapshot, machine.descriptors, engine)
    except ApplianceError as error:
        return None, (error.message,)
    return found, ()


def _contexts(required: Requirement, details: ModelDetails, budget_bytes: int) -> list[FitAt]:
    trained = details.context_length_tokens
    lengths = sorted({*(tokens for tokens in CONTEXTS if trained is None or tokens < trained), trained or CONTEXTS[-1]})
    needs = [(tokens, memory_bytes(required, tokens)) for tokens in lengths]
    return [
        FitAt(context_tokens=tokens, memory_bytes=needed, is_fitting=needed <= budget_bytes) for tokens, needed in needs
    ]


def _active(details: ModelDetails) -> int:
    """Return how many parameters a token uses; of a mixture, in which its experts have nearly all of them, a share."""
    total = details.num_parameters or 0
    if details.num_experts and details.num_experts_used:
        return max(1, total * details.num_experts_used // details.num_experts)
    return total


def _capabilities(details: ModelDetails, facts: ModelFacts) -> tuple[str, ...]:
    if details.task == "embed":
        return ("embedding",)
    if details.task == "score":
        return ("rerank",) if details.num_labels == 1 else ()
    found = {
        "chat": details.has_chat_template,
        "tools": knows_tools(facts.template),
        "reasoning": knows_thinking(facts.template),
        "vision": _sees(details, facts.metadata),
        "fim": facts.fills_gaps,
    }
    return tuple(name for name, is_there in found.items() if is_there)


def _sees(details: ModelDetails, metadata: Mapping[str, object]) -> bool:
    """Return whether the file itself takes images: a projector in a file of its own is not part of it."""
    return (details.architecture or "").endswith("vl") or any(".vision." in key for key in metadata)
