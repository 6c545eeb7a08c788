"""The disk tier as the daemon plans with it: where the folders are, and what each may take. Opens none of them."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec.structs import replace

from appliance.caches.folder_lock import read_state
from appliance.caches.kv_limits import disk_budget_bytes, share_bytes, write_limit_bytes
from appliance.caches.kv_sweep import kept_bytes
from appliance.core.hardware import Disk
from appliance.core.plan import SnapshotTiers
from appliance.settings import KvSettings


class KvDisk:
    """`kv/` in the home, with a folder for each fingerprint."""

    def __init__(self, home: Path, settings: KvSettings, disks: Sequence[Disk]) -> None:
        """Choose the limits once, from what is free now."""
        self.root = home / "kv"
        free_bytes = shutil.disk_usage(home).free
        self.budget_bytes = disk_budget_bytes(settings.disk_bytes, free_bytes, kept_bytes(self.root))
        self._written_per_day = write_limit_bytes(settings.max_written_bytes_per_day, home.resolve(), disks)

    def place(self, tiers: SnapshotTiers, fingerprint: str, loaded: Iterable[str]) -> SnapshotTiers:
        """Return the tiers with their place on disk, beside the folders of other models that are `loaded`."""
        if self.budget_bytes == 0:
            return tiers
        others = (read_state(self.root / name).num_bytes for name in set(loaded) - {fingerprint})
        return replace(
            tiers,
            folder=str(self.root / fingerprint),
            disk_bytes=share_bytes(self.budget_bytes, others),
            max_written_bytes_per_day=self._written_per_day,
        )
