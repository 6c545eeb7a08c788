"""llama.cpp as the daemon sees it: whether it is installed, and what mends it. Never imports the library."""

import sys
from importlib.metadata import PackageNotFoundError, version

from appliance.backends.llama_cpp.estimate import estimate
from appliance.backends.llama_cpp.limits import DISTRIBUTION
from appliance.core.hardware import HardwareSnapshot
from appliance.core.plan import Artefact, BackendDescriptor, MemoryEstimate, StepLimits
from models.manifest import ModelDetails


class LlamaCppDescription:
    """Runs GGUF files on the processor."""

    def descriptor(self, snapshot: HardwareSnapshot) -> BackendDescriptor:
        """Return whether the library is installed."""
        installed = self.version()
        return BackendDescriptor(
            name="llama_cpp",
            state="ready" if installed else "unavailable",
            message=f"llama.cpp {installed}" if installed else f"{DISTRIBUTION} is not installed",
            mend=None if installed else f"{sys.executable} -m pip install {DISTRIBUTION}",
            formats=frozenset({"gguf"}),
            devices=("cpu",),
            version=installed,
        )

    def version(self) -> str | None:
        """Return the version of llama-cpp-python."""
        try:
            return version(DISTRIBUTION)
        except PackageNotFoundError:
            return None

    def estimate(self, artefact: Artefact, details: ModelDetails | None, limits: StepLimits) -> MemoryEstimate:
        """Return the memory that the model will need."""
        return estimate(details, limits)
