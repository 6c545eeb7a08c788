"""llama.cpp as the daemon sees it: whether it is installed, and what mends it. Never imports the library."""

import sys

from appliance.backends.description import EngineInstructions, Preparation
from appliance.backends.distributions import installed_version
from appliance.backends.llama_cpp.estimate import KV_TYPE, estimate
from appliance.backends.llama_cpp.gpu_build import LABELS, gpu_libraries
from appliance.backends.llama_cpp.gpus import Found, find_gpus
from appliance.backends.llama_cpp.instructions import read_instructions
from appliance.backends.llama_cpp.limits import DISTRIBUTION, MAX_ADAPTERS_PER_STEP
from appliance.backends.llama_cpp.rates import rates_of
from appliance.backends.prior import Predicted, Work, predict
from appliance.core.hardware import HardwareSnapshot
from appliance.core.plan import Artefact, BackendDescriptor, MemoryEstimate, StepLimits
from models.manifest import ModelDetails


class LlamaCppDescription:
    """Runs GGUF files on the processor, and on GPUs where it was built for them."""

    def descriptor(self, snapshot: HardwareSnapshot) -> BackendDescriptor:
        """Return whether the library is installed, and the GPUs that it sees; a child process is asked for those."""
        installed = self.version()
        found = find_gpus(snapshot.accelerators) if installed else Found()
        return BackendDescriptor(
            name="llama_cpp",
            state="ready" if installed else "unavailable",
            message=_message(installed) if installed else f"{DISTRIBUTION} is not installed",
            mend=None if installed else f"{sys.executable} -m pip install {DISTRIBUTION}",
            formats=frozenset({"gguf"}),
            devices=("cpu", *(gpu.name for gpu in found.gpus if gpu.total_bytes)),
            kv_types=(KV_TYPE,),
            version=installed,
            drawback=f"it cannot be asked for its GPUs: {found.problem}" if found.problem else None,
            gpus=found.gpus,
            max_adapters_per_step=MAX_ADAPTERS_PER_STEP,
            reads_media=True,
        )

    def version(self) -> str | None:
        """Return the version of llama-cpp-python."""
        return installed_version(DISTRIBUTION)

    def estimate(
        self, artefact: Artefact, details: ModelDetails | None, limits: StepLimits, kv_type: str
    ) -> MemoryEstimate:
        """Return the memory that the model will need."""
        return estimate(details, limits, kv_type)

    def refusal(self, details: ModelDetails | None) -> str | None:
        """Return None: the library knows by itself which architectures it runs."""
        return None

    def preparation(
        self, model: str, artefact: Artefact, details: ModelDetails | None, snapshot: HardwareSnapshot
    ) -> Preparation | None:
        """Return None: files run as they are."""
        return None

    def prior(self, work: Work) -> Predicted | None:
        """Return the speed that its kernels should have."""
        return predict(work, rates_of(work.details))

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


def _message(installed: str) -> str:
    names = [LABELS[name] for name in gpu_libraries()]
    return f"llama.cpp {installed}" + (f" with {' and '.join(names)}" if names else "")
