"""Whether a model fits this machine, with how long a context and how fast: one that is installed, or could be.

The memory is what the backends themselves say; nothing of it is counted here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.backends.asked import Asked, Form, MachineNow
from appliance.backends.limits import least_bytes
from appliance.backends.options import Option
from appliance.backends.select import best
from appliance.core.catalogue import Fit, FitAt, Speed
from appliance.core.plan import Artefact
from appliance.core.template_families import family_name, knows_thinking, knows_tools
from appliance.errors import ApplianceError
from models.catalogue.catalogue import CatalogueSource, Entry
from models.catalogue.expected import expected_details
from models.catalogue.licences import check as check_licence
from models.catalogue.name_check import check_name, evidence_of
from models.finding.facts import ModelFacts
from models.manifest import ModelDetails, ModelManifest

from .speed import speed_view

CONTEXTS = (2048, 8192, 32_768)
_LEAST_CONTEXT_TOKENS = 512
_ROUNDED_TO_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to be judged, and what is known of it. `evidence` is what tells whether its name is its own.

    `asked` is what would be run under that name.
    """

    name: str
    is_installed: bool
    asked: Asked
    details: ModelDetails
    licence: str | None
    template: str | None
    capabilities: tuple[str, ...]
    evidence: tuple[str | None, ...] = ()
    reference: str | None = None
    notes: tuple[str, ...] = ()


def fit(subject: Subject, machine: MachineNow) -> Fit:
    """Judge one model. Where nothing here runs it, the notes say what is missing."""
    details, verdict = subject.details, check_licence(subject.licence, machine.settings.models.allowed_licences)
    option, problem = _option(subject, machine)
    largest = None if option is None else largest_context(option, machine.budget_bytes)
    return Fit(
        name=subject.name,
        is_installed=subject.is_installed,
        reference=subject.reference,
        quantization=details.quantization,
        num_parameters=details.num_parameters,
        weights_bytes=None if option is None else option.need.weights_bytes,
        backend=None if option is None else option.backend.name,
        budget_bytes=max(0, machine.budget_bytes),
        contexts=() if option is None else tuple(_contexts(option, machine.budget_bytes)),
        trained_context_tokens=details.context_length_tokens,
        max_context_tokens=largest,
        speed=None if option is None else speed_of(option),
        measured=None if option is None else option.measured,
        licence=verdict.licence,
        licence_note=verdict.note if verdict.is_allowed else verdict.reason,
        is_licence_allowed=verdict.is_allowed,
        template=subject.template,
        capabilities=subject.capabilities,
        name_note=check_name(subject.name, subject.evidence),
        notes=(*problem, *subject.notes),
    )


def largest_context(option: Option, budget_bytes: int) -> int | None:
    """Return the longest context that fits now, None where not even a short one does."""
    trained_tokens = option.form.details.context_length_tokens if option.form.details is not None else None
    tokens = (budget_bytes - least_bytes(option.need, 0)) // max(1, option.need.kv_bytes_per_token)
    if trained_tokens is not None and tokens >= trained_tokens:
        return trained_tokens
    return tokens // _ROUNDED_TO_TOKENS * _ROUNDED_TO_TOKENS if tokens >= _LEAST_CONTEXT_TOKENS else None


def speed_of(option: Option) -> Speed | None:
    """Return how fast it should write; None for a model that does not, and where its size is not known."""
    return speed_view(option.predicted)


def subject_of_installed(name: str, manifest: ModelManifest, asked: Asked, facts: ModelFacts) -> Subject:
    """Return what the files of an installed model say."""
    details, origin = manifest.details, manifest.provenance
    return Subject(
        name=name,
        is_installed=True,
        asked=asked,
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
    form = Form(model=model.name, artefact=Artefact(format=source.format, path="", digest=""), details=details)
    return Subject(
        name=model.name,
        is_installed=False,
        asked=Asked(model=model.name, forms=(form,), num_active_parameters=model.num_active_parameters),
        details=details,
        licence=model.licence,
        template=model.template,
        capabilities=model.capabilities,
        evidence=(model.title, entry.publisher, reference),
        reference=reference,
        notes=notes,
    )


def _option(subject: Subject, machine: MachineNow) -> tuple[Option | None, tuple[str, ...]]:
    try:
        return best(subject.asked, machine), ()
    except ApplianceError as error:
        return None, (error.message,)


def _contexts(option: Option, budget_bytes: int) -> list[FitAt]:
    trained = option.form.details.context_length_tokens if option.form.details is not None else None
    lengths = sorted({*(tokens for tokens in CONTEXTS if trained is None or tokens < trained), trained or CONTEXTS[-1]})
    needs = [(tokens, least_bytes(option.need, tokens)) for tokens in lengths]
    return [
        FitAt(context_tokens=tokens, memory_bytes=needed, is_fitting=needed <= budget_bytes) for tokens, needed in needs
    ]


def _capabilities(details: ModelDetails, facts: ModelFacts) -> tuple[str, ...]:
    if details.task == "embed":
        return ("embedding",)
    if details.task == "transcribe":
        return ("transcription",)
    if details.task == "score":
        return ("rerank",) if details.num_labels == 1 else ()
    found = {
        "chat": details.has_chat_template,
        "tools": knows_tools(facts.template),
        "reasoning": knows_thinking(facts.template),
        "vision": "image" in details.media or _sees(details, facts.metadata),
        "audio": "audio" in details.media,
        "fim": facts.fills_gaps,
    }
    return tuple(name for name, is_there in found.items() if is_there)


def _sees(details: ModelDetails, metadata: Mapping[str, object]) -> bool:
    """Return whether the file itself takes images, or would with a projector."""
    return (details.architecture or "").endswith("vl") or any(".vision." in key for key in metadata)
