"""The store's values as the admin API says them. Pure."""

import msgspec

from appliance.core.admin import AddModel
from appliance.core.store import (
    CollectedGarbage,
    GarbageItem,
    HurtModel,
    ModelVersion,
    ModelVersions,
    Provenance,
    ProvenanceOfFile,
    Scrubbed,
)
from appliance.core.units import format_bytes
from models.finding.found import Origin
from models.manifest import ModelManifest, ModelPreset, ModelProvenance
from models.store.garbage import GarbageReport
from models.store.scrub import ScrubReport
from models.store.store import ModelStore


def origin_of(order: AddModel) -> Origin:
    """Return what an order says of a model that another program kept."""
    preset = None if order.beginning is None else msgspec.convert(msgspec.to_builtins(order.beginning), ModelPreset)
    came = order.provenance
    provenance = None if came is None else msgspec.convert(msgspec.to_builtins(came), ModelProvenance)
    return Origin(preset=preset, provenance=provenance, made_of=order.made_of, projector=order.projector)


def versions_view(store: ModelStore, canonical: str) -> ModelVersions:
    """Return what a name means and has meant, each with what keeps it from being used. Raises: StoreError."""
    current = store.get(canonical)
    versions = tuple(
        _version_view(store, manifest, is_current=current is not None and manifest.version == current.version)
        for manifest in store.versions(canonical)
    )
    return ModelVersions(model=canonical, versions=versions)


def _version_view(store: ModelStore, manifest: ModelManifest, *, is_current: bool) -> ModelVersion:
    return ModelVersion(
        number=manifest.version,
        digest=manifest.digest,
        size_bytes=manifest.size_bytes,
        added_s=manifest.added_s,
        source=manifest.provenance.reference if manifest.provenance else manifest.source,
        is_current=is_current,
        problems=tuple(store.changed_files(manifest)),
    )


def garbage_view(report: GarbageReport, *, is_dry_run: bool) -> CollectedGarbage:
    """Return what garbage collection found."""
    return CollectedGarbage(
        is_dry_run=is_dry_run,
        size_bytes=report.num_bytes,
        items=tuple(msgspec.convert(item, GarbageItem, from_attributes=True) for item in report.items),
        num_unreadable=report.num_unreadable,
    )


def scrub_view(report: ScrubReport) -> Scrubbed:
    """Return what a scrub found, with the one sentence that a person reads first."""
    read = f"{report.num_files} files of {report.num_models} models ({format_bytes(report.num_bytes)}) were read"
    outcome = "all are what was added"
    if report.hurt:
        outcome = "; ".join(
            f"'{hurt.name}' is damaged: {'; '.join(hurt.problems)}; {hurt.remedy}" for hurt in report.hurt
        )
    return Scrubbed(
        num_models=report.num_models,
        num_files=report.num_files,
        size_bytes=report.num_bytes,
        hurt=tuple(msgspec.convert(hurt, HurtModel, from_attributes=True) for hurt in report.hurt),
        note=f"{read}; {outcome}",
    )


def provenance_view(provenance: ModelProvenance | None) -> Provenance | None:
    """Return where a model is from, None where nothing says it."""
    if provenance is None:
        return None
    files = tuple(msgspec.convert(file, ProvenanceOfFile, from_attributes=True) for file in provenance.files)
    return Provenance(
        kind=provenance.kind,
        reference=provenance.reference,
        fetched_s=provenance.fetched_s,
        publisher=provenance.publisher,
        revision=provenance.revision,
        licence=provenance.licence,
        files=files,
    )
