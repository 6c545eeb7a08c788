"""Our own kernels as the daemon sees them: whether they can run here. Never imports the library."""

import sys

from appliance.backends.description import EngineInstructions, Preparation
from appliance.backends.distributions import installed_version
from appliance.backends.prior import Predicted, Work, predict
from appliance.backends.tvm import adoption
from appliance.backends.tvm.estimate import estimate
from appliance.backends.tvm.limits import ARCHITECTURES, FORMATS, KV_BYTES_OF_32, PINS, instruction_set_for
from appliance.backends.tvm.linker import has_linker, install_command
from appliance.backends.tvm.rates import rates_on
from appliance.core.hardware import HardwareSnapshot
from appliance.core.plan import Artefact, BackendDescriptor, MemoryEstimate, StepLimits
from models.manifest import ModelDetails


class TvmDescription:
    """Runs decoders of the Llama family on the processor."""

    def descriptor(self, snapshot: HardwareSnapshot) -> BackendDescriptor:
        """Return whether the pinned libraries are installed, and the processor is one that the kernels know."""
        versions = {name: installed_version(name) for name in PINS}
        wrong = {name: version for name, version in versions.items() if version != PINS[name]}
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
        return installed_version("apache-tvm")

    def estimate(
        self, artefact: Artefact, details: ModelDetails | None, limits: StepLimits, kv_type: str
    ) -> MemoryEstimate:
        """Return the memory that the model will need."""
        return estimate(details, limits, kv_type)

    def refusal(self, details: ModelDetails | None) -> str | None:
        """Return what of the model the kernels do not know."""
        if details is None:
            return None
        if details.task != "generate":
            return "our kernels run models that write, not those that embed or score"
        if details.architecture is not None and details.architecture not in ARCHITECTURES:
            return f"the architecture {details.architecture!r} is not one that tvm runs"
        return "our kernels run no mixtures of experts" if details.num_experts else None

    def preparation(
        self, model: str, artefact: Artefact, details: ModelDetails | None, snapshot: HardwareSnapshot
    ) -> Preparation | None:
        """Return what is to be compiled, or is."""
        instructions = snapshot.processor.instructions
        return Preparation(
            is_done=adoption.is_adopted(artefact, instructions),
            missing=f"it is not compiled for {instruction_set_for(instructions)} yet",
            mend=f"appliance kernels compile {model}",
            quantization=adoption.made_quantization(artefact, details),
        )

    def prior(self, work: Work) -> Predicted | None:
        """Return the speed that our kernels should have."""
        return predict(work, rates_on(work.snapshot.processor.instructions))

    def instructions(self, timeout_s: float) -> EngineInstructions | None:
        """Return None: the kernels are compiled for the very processor."""
        return None

    def rebuild_command(self) -> str | None:
        """Return None: they are compiled when a model is loaded."""
        return None
