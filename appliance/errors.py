"""The error tree. Each class carries its HTTP status and code; a message says what, why and what to do."""

from typing import ClassVar

from .core.events import ErrorInfo
from .core.traits import ModelTask


class ApplianceError(Exception):
    """The root: everything that a caller may be told. `param` names the field of the request that is at fault."""

    status: ClassVar[int] = 500
    code: ClassVar[str | None] = "internal_error"

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s


class InvalidRequest(ApplianceError):
    """The request cannot be served as it stands."""

    status = 400
    code: ClassVar[str | None] = None


class ContextLengthExceeded(InvalidRequest):
    """The prompt leaves no room for an answer in the model's context."""

    code = "context_length_exceeded"


class Unauthorized(ApplianceError):
    """No valid key came with the request."""

    status = 401
    code = "invalid_api_key"


class Forbidden(ApplianceError):
    """The key, the host name or the origin may not do this."""

    status = 403
    code = "forbidden"


class ModelNotFound(ApplianceError):
    """No such model is installed."""

    status = 404
    code = "model_not_found"


class KeyNotFound(ApplianceError):
    """No key has that name."""

    status = 404
    code = "key_not_found"


class UploadNotFound(ApplianceError):
    """No file of that digest was uploaded."""

    status = 404
    code = "upload_not_found"


class FileNotFound(ApplianceError):
    """The caller has no file of that id."""

    status = 404
    code = "file_not_found"


class TaskNotFound(ApplianceError):
    """The caller has no task of that id."""

    status = 404
    code = "task_not_found"


class BatchNotFound(ApplianceError):
    """The caller has no batch of that id."""

    status = 404
    code = "batch_not_found"


class JobNotFound(ApplianceError):
    """There is no job of that id."""

    status = 404
    code = "job_not_found"


class RequestNotFound(ApplianceError):
    """No request of that id runs or waits."""

    status = 404
    code = "request_not_found"


class ResponseNotFound(ApplianceError):
    """The caller has no response of that id."""

    status = 404
    code = "response_not_found"


class PreviousResponseNotFound(InvalidRequest):
    """A response is to go on with one that the caller does not have."""

    code = "previous_response_not_found"


class ConversationNotFound(ApplianceError):
    """The caller has no conversation of that id."""

    status = 404
    code = "conversation_not_found"


class ItemNotFound(ApplianceError):
    """The caller has no item of that id."""

    status = 404
    code = "item_not_found"


class RequestCancelled(ApplianceError):
    """An operator ended the request. Of a status after which clients do not try again."""

    status = 410
    code = "request_cancelled"


class Conflict(ApplianceError):
    """The request contradicts the present state: a name is taken, a model is in use."""

    status = 409
    code = "conflict"


class BodyTooLarge(ApplianceError):
    """The body of the request is longer than `server.max_body_bytes`."""

    status = 413
    code = "body_too_large"


class UnsupportedMediaType(ApplianceError):
    """The body of the request is not JSON."""

    status = 415
    code = "unsupported_media_type"


class QueueFull(ApplianceError):
    """Too many requests wait already."""

    status = 429
    code = "rate_limit_exceeded"


class NotOffered(ApplianceError):
    """No backend of this version does what was asked, with any model."""

    status = 501
    code = "not_implemented"


class DeadlineExceeded(ApplianceError):
    """The request had begun and was not complete by its deadline."""

    status = 504
    code = "deadline_exceeded"


class NotCached(ApplianceError):
    """The answer would have to be computed, and the request forbids that (RFC 9111, section 5.2.1.7)."""

    status = 504
    code = "not_cached"


class StorageError(ApplianceError):
    """What must be kept on disk cannot be read or written."""

    code = "storage_error"


class SourceFailed(ApplianceError):
    """A source of models does not have what was asked for, or cannot be reached."""

    status = 502
    code = "source_failed"


class BackendError(ApplianceError):
    """The library that runs the model failed, or its process died."""

    code = "backend_error"


class OutOfDeviceMemory(BackendError):
    """The device has no memory left for this step or this model."""

    code = "out_of_device_memory"


class ModelLoading(ApplianceError):
    """The model cannot answer yet: it failed lately and is in back-off, or loads past the request's deadline."""

    status = 503
    code = "model_loading"


class DoesNotFit(ApplianceError):
    """The model needs more memory than this machine can give it."""

    status = 503
    code = "does_not_fit"


class Draining(ApplianceError):
    """The daemon is stopping."""

    status = 503
    code = "draining"


def _tree(root: type[ApplianceError]) -> dict[str, type[ApplianceError]]:
    return {root.__name__: root} | {name: c for sub in root.__subclasses__() for name, c in _tree(sub).items()}


_BY_NAME = _tree(ApplianceError)


def to_info(error: ApplianceError) -> ErrorInfo:
    """Return the error as a value that can cross the link."""
    return ErrorInfo(
        kind=type(error).__name__, message=error.message, param=error.param, retry_after_s=error.retry_after_s
    )


def from_info(info: ErrorInfo) -> ApplianceError:
    """Return the error that `to_info` described; one of an unknown kind becomes an `ApplianceError`."""
    kind = _BY_NAME.get(info.kind, ApplianceError)
    return kind(info.message, param=info.param, retry_after_s=info.retry_after_s)


_OFFERS: dict[ModelTask, str] = {
    "generate": "generates text; use POST /v1/chat/completions or /v1/completions",
    "embed": "computes embeddings; use POST /v1/embeddings",
    "score": "scores pairs of texts; use POST /v1/rerank or /v1/score",
    "transcribe": "turns speech into text; use POST /v1/audio/transcriptions",
}


def can_do(task: ModelTask, asked: ModelTask) -> bool:
    """Return whether a model for `task` can answer what was asked: one that embeds scores, too, by cosine."""
    return task == asked or (task, asked) == ("embed", "score")


def wrong_task(model: str, task: ModelTask) -> InvalidRequest:
    """Return the refusal of what a model cannot do, with what it is for."""
    return InvalidRequest(f"model '{model}' {_OFFERS[task]}", param="model")
