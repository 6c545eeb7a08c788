"""`/v1/inference` and `/v1/tasks` on the wire: one question, answered at once or when its turn comes."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from appliance.core.notify import Delivery
from appliance.core.request import ChatPrompt, GenerateRequest, JsonSchema, Message, Priority, RequestId
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.core.tasks import Task, TaskAnswer, TaskState

from .notify import NotificationWire, Notify, notifications_wire

Mode = Literal["sync", "async", "auto"]
DEFAULT_MAX_LENGTH = 512
SHORT_CHARACTERS, SHORT_TOKENS = 8_000, 256
"""What is answered at once in the mode "auto": a prompt and an answer up to these."""


class InferenceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /v1/inference`. `max_length` counts tokens of the answer.

    In the mode "auto" the caller allows a task where the work is long or others are in front.
    """

    input_text: Annotated[str, Meta(min_length=1)]
    model: str | None = None
    system: str | None = None
    max_length: Annotated[int, Meta(ge=1, le=2**31 - 1)] = DEFAULT_MAX_LENGTH
    temperature: Annotated[float, Meta(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Meta(ge=0, le=1)] = 1.0
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    stop: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(max_length=16)] = []
    num_predictions: Annotated[int, Meta(ge=1, le=16)] = 1
    json_schema: dict[str, Any] | None = None
    mode: Mode = "sync"
    priority: Priority | None = None
    notify: Notify = None
    user: Annotated[str, Meta(max_length=256)] | None = None


class PredictionWire(msgspec.Struct, frozen=True, kw_only=True):
    """One answer; its confidence is the geometric mean of its tokens' probabilities, from 0 to 1."""

    text: str
    finish_reason: str
    confidence: float | None


class InferenceUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What it cost."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class InferenceWire(msgspec.Struct, frozen=True, kw_only=True):
    """The answer."""

    model: str
    predictions: list[PredictionWire]
    confidence: float | None
    usage: InferenceUsage


class ProblemWire(msgspec.Struct, frozen=True, kw_only=True):
    """Why a task failed, or why its last try did."""

    message: str
    kind: str


class TaskWire(msgspec.Struct, frozen=True, kw_only=True):
    """A task. `result` is there once it is `done`; `error` of one that has failed, or that is tried again."""

    task_id: str
    status: TaskState
    model: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    num_tries: int
    result: InferenceWire | None
    error: ProblemWire | None
    notifications: list[NotificationWire]
    object: str = "task"


class TasksWire(msgspec.Struct, frozen=True, kw_only=True):
    """A page of tasks, the newest first."""

    data: list[TaskWire]
    has_more: bool
    object: str = "list"


def inference_to_core(wire: InferenceRequest, id: RequestId, model: str, priority: Priority) -> GenerateRequest:
    """Return the request for the engine; `priority` where the caller names none."""
    system = (Message(role="system", content=wire.system),) if wire.system else ()
    return GenerateRequest(
        id=id,
        model=model,
        prompt=ChatPrompt(messages=(*system, Message(role="user", content=wire.input_text))),
        sampling=SamplingParams(temperature=wire.temperature, top_p=wire.top_p, top_k=wire.top_k, seed=wire.seed),
        stop=StopConditions(max_tokens=wire.max_length, strings=tuple(wire.stop)),
        num_choices=wire.num_predictions,
        constraint=None if wire.json_schema is None else JsonSchema(schema=wire.json_schema, param="json_schema"),
        priority=wire.priority or priority,
    )


def becomes_task(wire: InferenceRequest, *, is_busy: bool) -> bool:
    """Return whether the answer comes later: as the caller wants it or, where that is left to us, for long work."""
    is_long = len(wire.input_text) > SHORT_CHARACTERS or wire.max_length * wire.num_predictions > SHORT_TOKENS
    return wire.mode == "async" or (wire.mode == "auto" and (is_long or is_busy))


def inference_wire(answer: TaskAnswer, model: str) -> InferenceWire:
    """Return an answer as it is told."""
    total = answer.prompt_tokens + answer.completion_tokens
    return InferenceWire(
        model=model,
        predictions=[
            PredictionWire(text=each.text, finish_reason=each.finish_reason, confidence=each.confidence)
            for each in answer.predictions
        ],
        confidence=answer.confidence,
        usage=InferenceUsage(
            prompt_tokens=answer.prompt_tokens, completion_tokens=answer.completion_tokens, total_tokens=total
        ),
    )


def task_wire(task: Task, deliveries: Sequence[Delivery] = ()) -> TaskWire:
    """Return a task as it is told, with what became of its notifications as far as that is known."""
    model = task.request.model
    return TaskWire(
        task_id=task.id,
        status=task.state,
        model=model,
        created_at=task.created_s,
        started_at=task.started_s,
        ended_at=task.ended_s,
        num_tries=task.num_tries,
        result=None if task.answer is None else inference_wire(task.answer, model),
        error=None if task.error is None else ProblemWire(message=task.error.message, kind=task.error.kind),
        notifications=notifications_wire(task.notify, deliveries),
    )


def tasks_wire(tasks: Sequence[Task], limit: int) -> TasksWire:
    """Return a page; `tasks` has one more where there are more."""
    return TasksWire(data=[task_wire(task) for task in tasks[:limit]], has_more=len(tasks) > limit)
