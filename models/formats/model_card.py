"""What the README of a model folder says in the fields that stand before its text.

Source: Hugging Face, model cards: YAML between two lines of three hyphens.
"""

from pathlib import Path

_FIELDS_BYTES = 64 * 1024


def read_licence(folder: Path) -> str | None:
    """Return the licence that the folder names, in the spelling of its publisher; None where it names none."""
    try:
        with (folder / "README.md").open("rb") as stream:
            lines = stream.read(_FIELDS_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return None
    if not lines or lines[0].strip() != "---":
        return None
    fields: dict[str, str] = {}
    for line in lines[1:]:
        if line.strip() == "---":
            break
        name, _, value = line.partition(":")
        fields.setdefault(name, value.strip().strip("'\""))
    licence = fields.get("license")
    return (fields.get("license_name") if licence == "other" else None) or licence or None
