"""onnxruntime as the daemon sees it: whether it is installed, and what a model will need. Never imports the library."""

import sys
from importlib.metadata import PackageNotFoundError, version

from appliance.backends.description import EngineInstructions
from appliance.backends.onnx.estimate import estimate
from appliance.backends.onnx.kernels import time_kernels
from appliance.backends.onnx.limits import DISTRIBUTION, KV_BYTES, REQUIRED, VARIANTS
from appliance.backends.onnx.plug_ins import installed_plug_ins
from appliance.core.hardware import HardwareSnapshot
from appliance.core.plan import Artefact, BackendDescriptor, MemoryEstimate, StepLimits
from models.manifest import ModelDetails


class OnnxDescription:
    """Runs ONNX graphs on the processor."""

    def descriptor(self, snapshot: HardwareSnapshot) -> BackendDescriptor:
        """Return whether the libraries are installed."""
        library = _installed_library()
        missing = [name for name in REQUIRED if _version(name) is None and not (library and name == DISTRIBUTION)]
        plug_ins = " and ".join(installed_plug_ins())
        with_plug_ins = f" with {plug_ins}" if plug_ins else ""
        return BackendDescriptor(
            name="onnx",
            state="unavailable" if missing else "ready",
            message=f"{' and '.join(missing)} missing" if missing else f"{library} {self.version()}{with_plug_ins}",
            mend=f"{sys.executable} -m pip install {' '.join(missing)}" if missing else None,
            formats=frozenset({"onnx"}),
            devices=("cpu",),
            kv_types=tuple(KV_BYTES),
            version=self.version(),
        )

    def version(self) -> str | None:
        """Return the version of onnxruntime, by whichever of its distributions it was installed."""
        library = _installed_library()
        return _version(library) if library else None

    def estimate(
        self, artefact: Artefact, details: ModelDetails | None, limits: StepLimits, kv_type: str
    ) -> MemoryEstimate:
        """Return the memory that the model will need."""
        return estimate(details, limits, kv_type)

    def instructions(self, timeout_s: float) -> EngineInstructions | None:
        """Return the kernels that the library chooses from, timed. Raises: BackendError, when it does not start."""
        return time_kernels(timeout_s) if self.version() and _version("onnx") else None

    def rebuild_command(self) -> str | None:
        """Return None: there is nothing to compile."""
        return None


def _installed_library() -> str | None:
    return next((name for name in (DISTRIBUTION, *VARIANTS) if _version(name) is not None), None)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
