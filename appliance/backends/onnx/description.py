"""onnxruntime as the daemon sees it: whether it is installed, and what a model will need. Never imports the library."""

import sys

from appliance.backends.description import EngineInstructions, Preparation
from appliance.backends.distributions import installed_version
from appliance.backends.onnx.estimate import estimate
from appliance.backends.onnx.kernels import time_kernels
from appliance.backends.onnx.limits import DISTRIBUTION, KV_BYTES, REQUIRED, VARIANTS
from appliance.backends.onnx.plug_ins import installed_plug_ins
from appliance.backends.onnx.rates import rates_of
from appliance.backends.prior import Predicted, Work, predict
from appliance.core.hardware import HardwareSnapshot
from appliance.core.plan import Artefact, BackendDescriptor, MemoryEstimate, StepLimits
from models.manifest import ModelDetails


class OnnxDescription:
    """Runs ONNX graphs on the processor."""

    def descriptor(self, snapshot: HardwareSnapshot) -> BackendDescriptor:
        """Return whether the libraries are installed."""
        library = _installed_library()
        missing = [
            name for name in REQUIRED if installed_version(name) is None and not (library and name == DISTRIBUTION)
        ]
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
        return installed_version(library) if library else None

    def estimate(
        self, artefact: Artefact, details: ModelDetails | None, limits: StepLimits, kv_type: str
    ) -> MemoryEstimate:
        """Return the memory that the model will need."""
        return estimate(details, limits, kv_type)

    def refusal(self, details: ModelDetails | None) -> str | None:
        """Return None: what cannot be run is refused when it is taken in."""
        return None

    def preparation(
        self, model: str, artefact: Artefact, details: ModelDetails | None, snapshot: HardwareSnapshot
    ) -> Preparation | None:
        """Return None: graphs are prepared when they are taken in."""
        return None

    def prior(self, work: Work) -> Predicted | None:
        """Return the speed that its kernels should have; of one that hears, a second of sound is 50 tokens."""
        return predict(work, rates_of(work.details))

    def instructions(self, timeout_s: float) -> EngineInstructions | None:
        """Return the kernels that the library chooses from, timed. Raises: BackendError, when it does not start."""
        return time_kernels(timeout_s) if self.version() and installed_version("onnx") else None

    def rebuild_command(self) -> str | None:
        """Return None: there is nothing to compile."""
        return None


def _installed_library() -> str | None:
    return next((name for name in (DISTRIBUTION, *VARIANTS) if installed_version(name) is not None), None)
