"""`/v1/feedback` on the wire."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from appliance.core.feedback import Feedback
from appliance.errors import InvalidRequest

_Id = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[!-~]+$")]
_Tag = Annotated[str, Meta(min_length=1, max_length=64)]


class FeedbackRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /v1/feedback`: an id of any answer, and either a score or stars.

    A score is a number from -1 to 1, or a thumb: "up" or "down". Stars are from 1 to 5.
    """

    response_id: _Id
    score: Annotated[float, Meta(ge=-1, le=1)] | Literal["up", "down"] | None = None
    stars: Annotated[int, Meta(ge=1, le=5)] | None = None
    comment: Annotated[str, Meta(max_length=10_000)] | None = None
    tags: Annotated[list[_Tag], Meta(max_length=32)] = []


class FeedbackWire(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller said of an answer; all scores are from -1 to 1."""

    response_id: str
    score: float
    comment: str | None
    tags: list[str]
    created_at: float
    object: str = "feedback"


class FeedbackListWire(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a caller's feedback, the newest first."""

    data: list[FeedbackWire]
    has_more: bool
    object: str = "list"


def feedback_to_core(wire: FeedbackRequest, owner: str, now_s: float) -> Feedback:
    """Return the feedback. Raises: InvalidRequest."""
    if (wire.score is None) == (wire.stars is None):
        raise InvalidRequest(
            "feedback has either a 'score' (-1 to 1, 'up' or 'down') or 'stars' (1 to 5)", param="score"
        )
    return Feedback(
        response_id=wire.response_id,
        owner=owner,
        score=_score(wire),
        comment=wire.comment,
        tags=tuple(wire.tags),
        created_s=now_s,
    )


def feedback_wire(feedback: Feedback) -> FeedbackWire:
    """Return feedback as its own caller is told it."""
    return FeedbackWire(
        response_id=feedback.response_id,
        score=feedback.score,
        comment=feedback.comment,
        tags=list(feedback.tags),
        created_at=feedback.created_s,
    )


def feedback_list_wire(found: Sequence[Feedback], limit: int) -> FeedbackListWire:
    """Return a page; `found` has one more where there are more."""
    return FeedbackListWire(data=[feedback_wire(each) for each in found[:limit]], has_more=len(found) > limit)


def _score(wire: FeedbackRequest) -> float:
    if wire.stars is not None:
        return (wire.stars - 3) / 2
    return {"up": 1.0, "down": -1.0}[wire.score] if isinstance(wire.score, str) else float(wire.score or 0.0)
