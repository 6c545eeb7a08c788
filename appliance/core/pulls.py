"""Pulling models: what is ordered, what the job tells of itself, and what it ends with."""

import msgspec

from .jobs import JobProgress

LOOKING = "looking for it"
CHECKING = "checking what came"
KEEPING = "taking it in"
COMPILING = "compiling for this processor"
"""What a pull does beside fetching, in this order; each is the text of a `JobProgress`."""


class PullModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /admin/v1/models/pull`, and the arguments of the job `pull`.

    `model` says where the model is: `hf:OWNER/REPO[:QUANT|:FILE][@REVISION]`, `ms:…`, `ollama:NAME[:TAG]`, an address,
    a path, or a name of the catalogue. `name` is what it is to be called here, `quantization` one of several there.
    """

    model: str
    name: str | None = None
    quantization: str | None = None
    max_bytes_per_s: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a limit that lets nothing through."""
        if self.max_bytes_per_s is not None and self.max_bytes_per_s < 1024:
            raise ValueError(f"{self.max_bytes_per_s} bytes a second is no limit that a model could come at")


class PulledModel(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the job. `notes` are sentences for whoever ordered it, `note` the one to show at the end."""

    model: str
    reference: str
    size_bytes: int
    note: str
    notes: tuple[str, ...] = ()


def is_fetching(progress: JobProgress) -> bool:
    """Return whether bytes are coming, or are waited for."""
    return progress.unit == "bytes" and progress.digest is not None
