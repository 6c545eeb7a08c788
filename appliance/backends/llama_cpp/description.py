"""llama.cpp as the daemon sees it: whether it is installed, and what mends it. Never imports the library."""

import sys
from importlib.metadata import PackageNotFoundError, version

from appliance.backends.description import EngineInstructions
from appliance.backends.llama_cpp.estimate import KV_TYPE, estimate
from appliance.backends.llama_cpp.instructions import read_instructions
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
            kv_types=(KV_TYPE,),
            version=installed,
        )

    def version(self) -> str | None:
        """Return the version of llama-cpp-python."""
        try:
            return version(DISTRIBUTION)
        except PackageNotFoundError:
            return None

    def estimate(
        self, artefact: Artefact, details: ModelDetails | None, limits: StepLimits, kv_type: str
    ) -> MemoryEstimate:
        """Return the memory that the model will need."""
        return estimate(details, limits, kv_type)

    def instructions(self, timeout_s: float) -> EngineInstructions | None:
        """Return what the library was compiled for. Raises: BackendError, when it does not start."""
        return read_instructions(timeout_s) if self.version() else None

    def rebuild_command(self) -> str | None:
        """Return the command for an environment that has pip; our installer's has none, and compiles by itself."""
        pinned = f"{DISTRIBUTION}=={self.version()}" if self.version() else DISTRIBUTION
        return (
            f"CMAKE_ARGS=-DGGML_NATIVE=ON {sys.executable} -m pip install --force-reinstall --no-deps --no-cache-dir "
            f"--no-binary {DISTRIBUTION} {pinned}"
        )
