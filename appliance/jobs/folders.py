"""The folders that jobs work in, below `run/jobs/`: one for each, made before it runs and deleted when it has ended."""

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from appliance.core.jobs import JobId
from appliance.errors import StorageError


class JobFolders:
    """Owns `run/jobs/` of a home. Every method may wait for the disk."""

    def __init__(self, home: Path) -> None:
        self._root = home / "run" / "jobs"

    def path(self, job_id: JobId) -> Path:
        """Return where the job's folder is."""
        return self._root / job_id

    def prepare(self, job_id: JobId, *, is_kept: bool) -> None:
        """Make the job's folder, and empty it unless it is kept. Raises: StorageError."""
        folder = self.path(job_id)
        try:
            if not is_kept and folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{folder} could not be made: {error.strerror}") from error

    def remove(self, job_id: JobId) -> None:
        """Delete the job's folder; what cannot be deleted now goes when the daemon next starts."""
        shutil.rmtree(self.path(job_id), ignore_errors=True)

    def keep_only(self, job_ids: Iterable[JobId]) -> None:
        """Delete the folders of all other jobs."""
        keep_folders(self._root, set(job_ids))


def keep_folders(root: Path, names: Collection[str]) -> None:
    """Delete the folders below `root` that have other names."""
    for folder in root.iterdir() if root.exists() else ():
        if folder.name not in names:
            shutil.rmtree(folder, ignore_errors=True)
