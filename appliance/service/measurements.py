"""How fast models were found to be in each way of running them on this machine: found again, and only there."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from appliance.core.fingerprint import fingerprint
from appliance.core.hardware import HardwareSnapshot
from appliance.core.measurement import Measurement

from .small_files import SmallFiles

AGAIN_AFTER_S = 6 * 3600.0
"""What was disturbed is tried again, but not at once: whatever disturbed it may well stay."""
_VERSION = 1


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one way of running a model, each with the software that it was found with.

    `problem` is why it could not be measured, `disturbed_s` when other programs were at work meanwhile.
    """

    measurement: Measurement | None = None
    measured_with: str = ""
    problem: str | None = None
    failed_with: str = ""
    disturbed_s: float | None = None


class Measurements:
    """One small file for each model, backend, KV type and machine. What software decides stands in the file.

    What was measured with another version counts no more, but is what the next measurement is compared with.
    """

    def __init__(
        self, folder: Path, snapshot: HardwareSnapshot, versions: Callable[[], Mapping[str, str | None]]
    ) -> None:
        """`versions` are those of all that computes in each backend: its library, and what is compiled beside it."""
        self._files = SmallFiles(folder, "measurement", _VERSION, _Kept, "it is measured again")
        self._machine = _machine(snapshot)
        self._drivers = tuple(each.driver_version for each in snapshot.accelerators)
        self._versions = versions

    def find(self, digest: str, backend: str, kv_type: str) -> Measurement | None:
        """Return what was measured with what is installed now, None where nothing was. From any thread.

        What was disturbed does not count: beside another program, a model is easily three times as slow.
        """
        kept = self._read(digest, backend, kv_type)
        return kept.measurement if kept.measured_with == self._software(backend) else None

    def before(self, digest: str, backend: str, kv_type: str) -> Measurement | None:
        """Return what was measured last, with whatever was installed then."""
        return self._read(digest, backend, kv_type).measurement

    def problem(self, digest: str, backend: str, kv_type: str) -> str | None:
        """Return why it could not be measured with what is installed now, None where it was not tried or succeeded."""
        kept = self._read(digest, backend, kv_type)
        return kept.problem if kept.failed_with == self._software(backend) else None

    def is_due(self, digest: str, backend: str, kv_type: str, now_s: float) -> bool:
        """Return whether it should be measured, `now_s` being seconds since 1970."""
        key = digest, backend, kv_type
        disturbed_s = self._read(*key).disturbed_s
        was_disturbed_lately = disturbed_s is not None and 0 <= now_s - disturbed_s < AGAIN_AFTER_S
        return not was_disturbed_lately and self.find(*key) is None and self.problem(*key) is None

    def keep(self, digest: str, backend: str, kv_type: str, measurement: Measurement) -> None:
        """Keep what was measured; of what was disturbed only that it was tried. Raises: OSError."""
        if measurement.is_disturbed:
            kept = self._read(digest, backend, kv_type)
            kept = msgspec.structs.replace(kept, disturbed_s=measurement.measured_s)
        else:
            kept = _Kept(measurement=measurement, measured_with=self._software(backend))
        self._write(digest, backend, kv_type, kept)

    def keep_problem(self, digest: str, backend: str, kv_type: str, problem: str) -> None:
        """Keep why it could not be measured; it is not tried again by itself. Raises: OSError."""
        kept = self._read(digest, backend, kv_type)
        failed = msgspec.structs.replace(kept, problem=problem, failed_with=self._software(backend))
        self._write(digest, backend, kv_type, failed)

    def _read(self, digest: str, backend: str, kv_type: str) -> _Kept:
        return self._files.read(self._fields(digest, backend, kv_type)) or _Kept()

    def _write(self, digest: str, backend: str, kv_type: str, kept: _Kept) -> None:
        self._files.write(self._fields(digest, backend, kv_type), kept)

    def _fields(self, digest: str, backend: str, kv_type: str) -> dict[str, str | int | None]:
        return {"digest": digest, "backend": backend, "kv_type": kv_type, **self._machine}

    def _software(self, backend: str) -> str:
        drivers = {f"driver {number}": version for number, version in enumerate(self._drivers)}
        return fingerprint("software", _VERSION, {"backend": self._versions().get(backend), **drivers})


def _machine(snapshot: HardwareSnapshot) -> dict[str, str | int | None]:
    processor = snapshot.processor
    return {
        "architecture": processor.architecture,
        "processor": processor.model,
        "governor": processor.governor,
        "logical_cores": processor.logical_cores,
        "usable_cores": processor.usable_cores,
        "accelerators": " ".join(f"{each.id} {each.name}" for each in snapshot.accelerators),
    }
