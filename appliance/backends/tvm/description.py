"""Our own kernels as the daemon sees them: whether they can run here. Never imports the library."""

import sys

from appliance.backends.description import EngineInstructions
from appliance.backends.tvm.estimate import estimate
from appliance.backends.tvm.limits import ARCHITECTURES, FORMATS, KV_BYTES_OF_32, PINS, installed, instruction_set_for
from appliance.backends.tvm.linker import has_linker, install_command
from appliance.core.hardware import HardwareSnapshot
from appliance.core.plan import Artefact, BackendDescriptor, MemoryEstimate, StepLimits
from models.manifest import ModelDetails


class TvmDescription:
    """Runs decoders of the Llama family on the processor."""

    def descriptor(self, snapshot: HardwareSnapshot) -> BackendDescriptor:
        """Return whether the pinned libraries are installed, and the processor is one that the kernels know."""
        wrong = {name: installed(name) for name, pinned in PINS.items() if installed(name) != pinned}
        instruction_set = instruction_set_for(snapshot.processor.instructions)
        message = f"our kernels for {instruction_set}, compiled by TVM {PINS['apache-tvm']}"
        mend = drawback = None
        if wrong:
            found = ", ".join(f"{name} is {version or 'missing'}" for name, version in wrong.items())
            message = f"{found}; only {' with '.join(f'{name} {pinned}' for name, pinned in PINS.items())} works"
            mend = f"{sys.executable} -m pip install {' '.join(f'{name}=={pinned}' for name, pinned in PINS.items())}"
        elif instruction_set is None:
            message = "our kernels are not written for this processor"
        elif not has_linker():
            drawback = "no linker is installed, so each model is compiled anew whenever it is loaded, for some seconds"
            mend = install_command()
        return BackendDescriptor(
            name="tvm",
            state="unavailable" if wrong or instruction_set is None else "ready",
            message=message,
            mend=mend,
            formats=FORMATS,
            devices=("cpu",),
            kv_types=tuple(KV_BYTES_OF_32),
            version=self.version(),
            architectures=ARCHITECTURES,
            drawback=drawback,
        )

    def version(self) -> str | None:
        """Return the version of the compiler."""
        return installed("apache-tvm")

    def estimate(
        self, artefact: Artefact, details: ModelDetails | None, limits: StepLimits, kv_type: str
    ) -> MemoryEstimate:
        """Return the memory that the model will need."""
        return estimate(details, limits, kv_type)

    def instructions(self, timeout_s: float) -> EngineInstructions | None:
        """Return None: the kernels are compiled for the very processor."""
        return None

    def rebuild_command(self) -> str | None:
        """Return None: they are compiled when a model is loaded."""
        return None
