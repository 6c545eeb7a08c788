"""The job `calibrate`: one way of running a model, measured while nobody needs the machine."""

import msgspec

from .jobs import Job
from .measurement import Measurement
from .plan import Calibration, LoadPlan

PROMPT_TOKENS = (128, 1024)
"""How long the two prompts are that are measured, where the model and its speed allow it."""
CONTEXT_TOKENS = 256
"""Behind so many tokens, sequences are measured that generate."""
BATCH_SEQUENCES = 8
GENERATED_TOKENS = 16
"""So many tokens are generated behind them, at most."""


class CalibrateArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The plan to measure. `candidate` is the name that forces it, as a variant does: `qwen3:latest@BACKEND`."""

    candidate: str
    plan: LoadPlan


class Calibrated(msgspec.Struct, frozen=True, kw_only=True):
    """What the child process answers; `threads` None: they were known, or could not be told."""

    measurement: Measurement
    threads: Calibration | None = None


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the job: what was measured, and what was known before. `note` says to the operator what counts."""

    candidate: str
    backend: str
    measurement: Measurement
    before: Measurement | None
    note: str


class CalibrateModel(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /admin/v1/models/calibrate`; no model means the default one, no backends mean all."""

    model: str | None = None
    backends: tuple[str, ...] = ()


class CalibrationJobs(msgspec.Struct, frozen=True, kw_only=True):
    """The jobs that measure a model, one for each way of running it. `waits_for`: why they do not begin at once."""

    model: str
    jobs: tuple[Job, ...]
    waits_for: str | None = None
