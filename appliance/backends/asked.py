"""What is to be run, and where: a model in the forms in which it is at hand, and the machine at this moment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from appliance.core.hardware import Bandwidth, HardwareSnapshot
from appliance.core.measurement import Measurement
from appliance.core.plan import Artefact, BackendDescriptor
from appliance.core.traits import ModelTask
from appliance.settings import Settings
from models.manifest import ModelDetails

Measured = Callable[[str, str, str], Measurement | None]
"""`(digest, backend, kv_type)`: what was measured here of these files run in this way, None where nothing was."""


def nothing_measured(digest: str, backend: str, kv_type: str) -> Measurement | None:
    """Be the `Measured` of a machine on which nothing was measured."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The weights of a model in one format and quantization. `model` is the installed one whose files these are.

    `loss_ratio` is what the form lost against the model that was asked for: nothing if it is that model's own files,
    None where nobody measured it.
    """

    model: str
    artefact: Artefact
    details: ModelDetails | None
    loss_ratio: float | None = 0.0

    @property
    def quantization(self) -> str | None:
        """Return the quantization of its weights, as its file calls it."""
        return self.details.quantization if self.details is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forced:
    """What leaves less of a choice: a backend, a quantization or both (`tvm`, `Q4_K_M`, `onnx-int4`); who said it."""

    variant: str
    by: Literal["name", "setting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A model to be run. Its own form stands first; `serving` are the digest and the backend with which it is loaded.

    `num_active_parameters` are those that a token uses, where that is known better than from the file. So many adapters
    are to be applied to it at once.
    """

    model: str
    forms: tuple[Form, ...]
    forced: Forced | None = None
    serving: tuple[str, str] | None = None
    num_active_parameters: int | None = None
    num_adapters: int = 0

    @property
    def task(self) -> ModelTask:
        """Return what the model is for."""
        details = self.forms[0].details
        return "generate" if details is None else details.task


@dataclass(frozen=True, slots=True)
class MachineNow:
    """What decides how a model runs: the machine, what can run models on it, what they may use, what was measured."""

    snapshot: HardwareSnapshot
    descriptors: Sequence[BackendDescriptor]
    settings: Settings
    budget_bytes: int
    bandwidth: Bandwidth | None = None
    measured: Measured = nothing_measured
