"""The files of an installed model: which one is opened, and whether they are still what they were."""

from pathlib import Path

from models.manifest import ManifestFile, ModelManifest


def needs_links(manifest: ModelManifest) -> bool:
    """Return whether the files lie under other names than those by which they find each other."""
    return any(file.name is not None and not file.path.endswith(f"/{file.name}") for file in manifest.files)


def changed_files(manifest: ModelManifest) -> list[str]:
    """Return a sentence for each file that is not what it was when the model was added."""
    return [sentence for file in manifest.files if (sentence := change_of(file))]


def change_of(file: ManifestFile) -> str | None:
    """Return why a file cannot be what it was, as far as that shows without reading it."""
    try:
        status = Path(file.path).stat()
    except OSError as error:
        return f"{file.path}: {error.strerror or error}"
    if status.st_size != file.size_bytes:
        return f"{file.path}: had {file.size_bytes} bytes when it was added, has {status.st_size}"
    if status.st_mtime_ns != file.mtime_ns and file.role != "embedded":
        return f"{file.path}: was written to after it was added"
    return None
