"""Which names may be given to which models. Pure."""

from models.embedded import EMBEDDED_NAME
from models.errors import NameTaken
from models.manifest import ModelManifest, ModelProvenance
from models.names import InvalidModelName, ModelName


def check_target(name: ModelName) -> None:
    """Raise InvalidModelName or NameTaken for a name that no model can be added under."""
    if name.adapters or name.variant:
        raise InvalidModelName(f"{str(name)!r}: a model is added under [publisher/]name[:tag] alone")
    if name.repository == EMBEDDED_NAME:
        raise NameTaken(f"{EMBEDDED_NAME!r} is the embedded model; choose another name with --name NAME")


def check_replaceable(
    name: ModelName,
    existing: ModelManifest | None,
    digest: str | None,
    provenance: ModelProvenance | None = None,
) -> None:
    """Let a name be given to other files where it was only made of another model, or comes from the same origin.

    `digest` None: of files that are not known yet. Raises: NameTaken.
    """
    if existing is None or existing.digest == digest or existing.preset is not None or existing.alias_of is not None:
        return
    before = existing.provenance
    if before is not None and provenance is not None and before.origin == provenance.origin:
        return
    raise NameTaken(taken_text(name))


def taken_text(name: ModelName) -> str:
    """Return what to do about a name that another model has."""
    return (
        f"another model is called '{name}'; remove it first (appliance models rm {name}) "
        f"or choose a tag (--name {name.repository}:TAG)"
    )
