"""What brings a model back whole whose files are no longer what was added. Looks only whether its source is there."""

import shlex
from pathlib import Path

from models.manifest import ModelManifest


def remedy_command(manifest: ModelManifest, name: str) -> str | None:
    """Return the command that puts sound files in place of the model's own copies; None where no command can."""
    if manifest.files[0].role != "blob":
        return None
    if manifest.provenance is not None:
        return f"appliance pull {shlex.quote(manifest.provenance.reference)} --name {name}"
    if manifest.source is not None and Path(manifest.source).exists():
        return f"appliance models add {shlex.quote(manifest.source)} --name {name} --copy"
    return None


def remedy(manifest: ModelManifest, name: str) -> str:
    """Return what to do, as the end of a sentence."""
    if command := remedy_command(manifest, name):
        return f"get it again: {command}"
    first = manifest.files[0]
    if first.role == "embedded":
        return "install the appliance again"
    if first.role == "adopted":
        again = f"appliance models add {shlex.quote(first.path)} --name {name}"
        return f"put a sound file in its place, then: {again}"
    return f"add it again from a sound file: appliance models add PATH --name {name} --copy"
