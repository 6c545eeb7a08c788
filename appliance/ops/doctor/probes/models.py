"""The installed models, and whether the default one could be loaded."""

from collections.abc import Sequence
from pathlib import Path

from appliance.core.hardware import HardwareSnapshot
from appliance.core.plan import BackendDescriptor
from appliance.errors import BackendError, DoesNotFit, InvalidRequest, ModelNotFound
from appliance.ops.doctor.facts import ModelFacts, ModelProblem
from appliance.service.installed import Installed, name_of
from appliance.service.planner import Planner
from appliance.settings import Settings
from models.manifest import ModelManifest
from models.store.remedy import remedy_command
from models.store.store import ModelStore


def look_at_models(
    home: Path,
    settings: Settings,
    snapshot: HardwareSnapshot,
    descriptors: Sequence[BackendDescriptor],
    available_bytes: int | None,
) -> ModelFacts:
    """Return what is known of the models; `available_bytes` None leaves out whether one fits now. Raises: OSError."""
    store = ModelStore(home)
    manifests = store.list()
    num_files = sum(not path.name.startswith(".") for path in (home / "models" / "manifests").glob("*.json"))
    problem, misfit = _try_default(store, settings, snapshot, descriptors, snapshot.memory.total_bytes)
    misfit_now = None
    if problem is None and misfit is None and available_bytes is not None:
        _, misfit_now = _try_default(store, settings, snapshot, descriptors, available_bytes)
    return ModelFacts(
        num_installed=len(manifests),
        num_unreadable=num_files - (len(manifests) - 1),  # the embedded model has no file there
        changed=tuple(_problem(manifest, why) for manifest in manifests if (why := store.changed_files(manifest))),
        default_model=settings.models.default_model,
        default_problem=problem,
        misfit=misfit,
        misfit_now=misfit_now,
    )


def largest_file(home: Path) -> Path | None:
    """Return the largest file of the installed models that is there."""
    files = [Path(file.path) for manifest in ModelStore(home).list() for file in manifest.files]
    return max((file for file in files if file.is_file()), key=lambda file: file.stat().st_size, default=None)


def _problem(manifest: ModelManifest, why: list[str]) -> ModelProblem:
    source = Path(manifest.source or manifest.files[0].path)
    return ModelProblem(
        name=name_of(manifest),
        problems=tuple(why),
        source=str(source) if source.exists() else None,
        mend=remedy_command(manifest, name_of(manifest)),
    )


def _try_default(
    store: ModelStore,
    settings: Settings,
    snapshot: HardwareSnapshot,
    descriptors: Sequence[BackendDescriptor],
    memory_bytes: int,
) -> tuple[str | None, str | None]:
    """Return why the default model cannot be named and why it does not fit, of which one at least is None."""
    planner = Planner(store, snapshot, descriptors, settings, lambda: memory_bytes)
    try:
        installed = Installed(store, planner.plan, settings.models.default_model)
        installed.plan(installed.default_model)
    except (ModelNotFound, InvalidRequest) as error:
        return error.message, None
    except DoesNotFit as error:
        return None, error.message
    except BackendError:  # a changed file or a missing engine: each is a finding of its own
        return None, None
    return None, None
