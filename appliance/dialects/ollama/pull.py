"""`POST /api/pull`: which model is meant, and a job's progress in Ollama's words."""

import msgspec

from appliance.core.events import ErrorInfo
from appliance.core.jobs import Job, JobProgress
from appliance.core.pulls import CHECKING, COMPILING, KEEPING, PullModel, is_fetching
from appliance.errors import ApplianceError, Conflict, from_info
from models.names import InvalidModelName, ModelName
from models.sources.reference import HUGGING_FACE_HOSTS, MODELSCOPE_HOSTS

from .care import SUCCESS, WRITING, NamedRequest, StatusWire

MANIFEST = "pulling manifest"
VERIFYING = "verifying sha256 digest"


class PullRequest(NamedRequest, frozen=True, kw_only=True):
    """The body. `insecure` lets a registry that the name names be asked without encryption."""

    insecure: bool | None = None


def order_of(name: str, *, is_in_catalogue: bool, is_insecure: bool) -> PullModel:
    """Return what Ollama would pull under that name, and what it is called here so that clients find it again."""
    if is_in_catalogue:
        return PullModel(model=name)
    host, slash, rest = name.partition("/")
    if slash and host.lower() in (*HUGGING_FACE_HOSTS, *MODELSCOPE_HOSTS):
        return PullModel(model=name, name=_usable(rest))
    names_host = slash and ("." in host or ":" in host or host == "localhost")
    scheme = "http://" if names_host and is_insecure else ""
    called = rest.removeprefix("library/") if names_host else name
    return PullModel(model=f"ollama:{scheme}{name}", name=_usable(called))


class PullNews:
    """Turns what a job says into lines: each step once, and bytes whenever there are more."""

    def __init__(self) -> None:
        self._steps: list[str] = []
        self._bytes: StatusWire | None = None

    def lines(self, job: Job) -> list[StatusWire]:
        """Return what is new. Raises: the ApplianceError that a failed job ended with."""
        if job.error is not None:
            raise pull_error(job)
        if job.state == "cancelled":
            raise Conflict("the pull was cancelled")
        is_done = job.state == "done"
        is_kept = is_done or job.progress.text in (KEEPING, COMPILING)
        is_here = is_kept or job.progress.text == CHECKING
        return [
            *self._step(MANIFEST),
            *self._fetched(job.progress, is_here=is_here),
            *(self._step(VERIFYING) if is_here else ()),
            *(self._step(WRITING) if is_kept else ()),
            *(self._step(SUCCESS) if is_done else ()),
        ]

    def _step(self, status: str) -> list[StatusWire]:
        if status in self._steps:
            return []
        self._steps.append(status)
        return [StatusWire(status=status)]

    def _fetched(self, progress: JobProgress, *, is_here: bool) -> list[StatusWire]:
        """Return how many bytes there are; in the end that is all of them, which no progress may have said."""
        before = self._bytes
        if is_fetching(progress) and progress.digest is not None:
            self._bytes = StatusWire(
                status=f"pulling {progress.digest.removeprefix('sha256:')[:12]}",
                digest=progress.digest,
                total=msgspec.UNSET if progress.total is None else int(progress.total),
                completed=int(progress.done),
            )
        elif is_here and before is not None:
            self._bytes = msgspec.structs.replace(before, completed=before.total)
        return [self._bytes] if self._bytes is not None and self._bytes != before else []


def pull_error(job: Job) -> ApplianceError:
    """Return why a job failed, as Ollama begins to say it; clients know the sentence for a model that is nowhere."""
    assert job.error is not None
    return from_info(ErrorInfo(kind=job.error.kind, message=f"pull model manifest: {job.error.message}"))


def _usable(text: str) -> str | None:
    try:
        return str(ModelName.parse(text))
    except InvalidModelName:
        return None
