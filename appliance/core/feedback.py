"""Feedback: what a caller thought of an answer, kept for later evaluation."""

import msgspec


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """What one caller said of one answer; `score` is from -1 (bad) to 1 (good). Time in seconds since 1970."""

    response_id: str
    owner: str
    score: float
    comment: str | None
    tags: tuple[str, ...]
    created_s: float


class FeedbackExport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/feedback`: the oldest first. `next` is where the rest begins, None: that was all."""

    feedback: tuple[Feedback, ...]
    next: int | None
