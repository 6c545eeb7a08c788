"""The child process of the job `pull`: finds a model, checks what it can before it fetches it, and the rest after."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from appliance.backends.registry import WORKSHOPS
from appliance.child import Reporter, run_child
from appliance.core.jobs import JobProgress
from appliance.core.pulls import CHECKING, LOOKING, PullModel
from appliance.errors import Conflict, InvalidRequest, SourceFailed
from appliance.service.pull_order import KEYS_FILE, FetchedModel, PullSettings
from models.catalogue.catalogue import CatalogueError, Chosen
from models.catalogue.imported import ImportedCatalogues
from models.catalogue.licences import check as check_licence
from models.catalogue.name_check import check_name
from models.errors import NameTaken, StoreError
from models.fetch.downloads import Downloads, key_of
from models.fetch.model import FetchPlan, FetchProgress, check_room, fetch_model, provenance_of
from models.fetch.pace import Pace
from models.fetch.tuning import Brakes, Tuning
from models.fetch.window import Window
from models.files import replace_atomically
from models.finding.projectors import find_fetched
from models.names import InvalidModelName, ModelName, name_from_stem
from models.sources.base import RemoteFile, RemoteModel, Source, SourceUnavailable
from models.sources.opening import open_source
from models.sources.reference import CatalogueReference, OllamaReference, parse_reference
from models.store.store import ModelStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A model where it is, and what it is to be called here."""

    model: RemoteModel
    source: Source
    name: str


def pull(arguments: PullModel, report: Reporter) -> FetchedModel:
    """Do the job. Raises: ApplianceError."""
    settings = msgspec.json.decode(report.settings, type=PullSettings)
    store = ModelStore(report.home, WORKSHOPS)
    downloads = Downloads(report.home / "downloads")
    with source_errors():
        report.progress(LOOKING)
        resolved = resolve(arguments, settings, report.home)
        notes = check_before(resolved, settings, store)
        plan = FetchPlan(
            model=resolved.model,
            headers=resolved.source.headers,
            downloads=downloads,
            folder=report.folder / "files",
            blob=store.uploaded_path,
            tuning=Tuning(num_connections=settings.num_connections),
            brakes=_brakes(arguments, settings, downloads),
            min_free_bytes=settings.min_free_bytes,
        )
        check_room(plan)
        with replace_atomically(report.folder / KEYS_FILE) as stream:
            stream.write(msgspec.json.encode([key_of(file) for file in resolved.model.files]))
        digest = _digest_of(resolved.model.files[0])
        provenance = fetch_model(plan, lambda progress: report.tell(_to_progress(progress, digest)))
        report.progress(CHECKING)
        # Read defensively here first: what is wrong with a file shows in this process and not in the daemon
        found = find_fetched(plan.folder, [file.name for file in resolved.model.files], WORKSHOPS)
        _check_licence(resolved.model.licence or found.details.licence, settings.allowed_licences)
    return FetchedModel(
        folder=str(plan.folder),
        name=resolved.name,
        provenance=provenance,
        preset=resolved.model.preset,
        notes=notes,
    )


def resolve(arguments: PullModel, settings: PullSettings, home: Path) -> Resolved:
    """Ask the source for the model. Raises: SourceError, CatalogueError, InvalidModelName."""
    hubs = settings.sources.hugging_face_endpoint, settings.sources.modelscope_endpoint
    reference = parse_reference(arguments.model, *(urlsplit(hub).hostname if hub else None for hub in hubs))
    chosen: Chosen | None = None
    if isinstance(reference, CatalogueReference):
        catalogue = ImportedCatalogues(home, settings.catalogue_keys).catalogue()
        chosen = catalogue.reference_for(reference.name)
        reference = parse_reference(chosen.reference)
    source = open_source(reference, settings.sources)
    text = arguments.model if chosen is None else chosen.reference
    model = source.resolve(text, settings.max_model_bytes)
    if chosen is not None:
        model = _as_promised(model, chosen)
    if arguments.name is not None:
        name = arguments.name
    elif chosen is not None:
        name = arguments.model
    elif isinstance(reference, OllamaReference):
        is_library = reference.namespace == "library"
        name = f"{'' if is_library else reference.namespace + '/'}{reference.name}:{reference.tag}"
    else:
        name = str(name_from_stem(model.stem))
    return Resolved(model=model, source=source, name=str(ModelName.parse(name)))


def check_before(resolved: Resolved, settings: PullSettings, store: ModelStore) -> tuple[str, ...]:
    """Check what can be checked before a byte is fetched, and return what is worth knowing. Raises: StoreError."""
    model = resolved.model
    notes = [model.choice] if model.choice else []
    if model.licence is not None:
        notes += _check_licence(model.licence, settings.allowed_licences)
    store.check_fetchable(resolved.name, provenance_of(model, ()))
    evidence = (model.stem, model.publisher, model.reference)
    if warning := check_name(resolved.name, evidence):
        notes.append(warning)
    return tuple(notes)


@contextmanager
def source_errors() -> Iterator[None]:
    """Turn the errors of sources, downloads and the store into ours."""
    try:
        yield
    except NameTaken as error:
        raise Conflict(str(error), param="name") from error
    except CatalogueError as error:
        raise SourceFailed(str(error), param="model") from error
    except SourceUnavailable as error:
        raise SourceFailed(str(error), retry_after_s=error.retry_after_s) from error
    except (StoreError, InvalidModelName) as error:
        raise InvalidRequest(str(error)) from error


def _check_licence(licence: str | None, allowed: Sequence[str]) -> list[str]:
    verdict = check_licence(licence, allowed)
    if not verdict.is_allowed:
        raise StoreError(f"refused: {verdict.reason}")
    return [verdict.reason] if verdict.note else []


def _as_promised(model: RemoteModel, chosen: Chosen) -> RemoteModel:
    """Hold the source to what the catalogue says of the file. Raises: StoreError."""
    first = model.files[0]
    promised = (chosen.sha256, first.sha256), (chosen.size_bytes, first.size_bytes)
    if any(ours is not None and theirs is not None and ours != theirs for ours, theirs in promised):
        raise StoreError(
            f"{model.reference} has another {first.name!r} than the catalogue knows; pull it by its own reference "
            f"({model.reference}) if you trust it"
        )
    first = msgspec.structs.replace(
        first, sha256=first.sha256 or chosen.sha256, size_bytes=first.size_bytes or chosen.size_bytes
    )
    licence = model.licence or chosen.entry.model.licence
    return msgspec.structs.replace(model, files=(first, *model.files[1:]), licence=licence)


def _brakes(arguments: PullModel, settings: PullSettings, downloads: Downloads) -> Brakes:
    paces = []
    if settings.max_bytes_per_s is not None:
        downloads.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        paces.append(Pace(settings.max_bytes_per_s, downloads.pace_path))
    if arguments.max_bytes_per_s is not None:
        paces.append(Pace(arguments.max_bytes_per_s))
    return Brakes(paces, None if settings.window is None else Window.parse(settings.window))


def _digest_of(file: RemoteFile) -> str:
    """Return what a client may know the download by: the file's digest, or one of where it is."""
    return "sha256:" + key_of(file).rpartition("-")[2]


def _to_progress(progress: FetchProgress, digest: str) -> JobProgress:
    return JobProgress(
        text=progress.note or f"fetching {progress.file.name}",
        done=progress.done_bytes,
        total=progress.total_bytes,
        unit="bytes",
        rate=None if progress.note else progress.rate,
        digest=digest,
    )


if __name__ == "__main__":
    run_child(pull, PullModel)
