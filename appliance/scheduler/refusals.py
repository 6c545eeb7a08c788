"""Why a request is turned away or given up: the errors, with their numbers. Pure."""

from appliance.core.events import ModelState
from appliance.core.units import format_seconds
from appliance.errors import ApplianceError, DeadlineExceeded, InvalidRequest, ModelLoading, QueueFull

from .claims import Places

MIN_RETRY_S = 1.0
MAX_RETRY_S = 60.0


def too_many_choices(num_choices: int, places: Places) -> InvalidRequest | None:
    """Return the refusal of a request with more choices than the model can ever hold."""
    if num_choices <= places.max_sequences:
        return None
    return InvalidRequest(
        f"n is {num_choices}, this model answers at most {places.max_sequences} choices at once; ask for fewer",
        param="n",
    )


def queue_full(num_waiting: int, mean_duration_s: float, places: Places) -> QueueFull:
    """Return the refusal of a request that finds the queue full, with the time in which the queue is worked off."""
    wait_s = num_waiting * mean_duration_s / places.max_step_sequences
    return QueueFull(
        f"{num_waiting} requests wait already; try again later",
        retry_after_s=min(MAX_RETRY_S, max(MIN_RETRY_S, wait_s)),
    )


def waited_too_long(waited_s: float, state: ModelState) -> ApplianceError:
    """Return the end of a request whose deadline passed before it had begun."""
    waited = format_seconds(waited_s)
    if state == "ready":
        return QueueFull(
            f"no place fell free within the request's deadline (it waited {waited}); try again later",
            retry_after_s=MIN_RETRY_S,
        )
    return ModelLoading(
        f"the model was not loaded within the request's deadline (it waited {waited}); try again later",
        retry_after_s=MIN_RETRY_S,
    )


def ran_too_long(deadline_s: float, num_written_tokens: int) -> DeadlineExceeded:
    """Return the end of a request whose deadline passed after it had begun."""
    return DeadlineExceeded(
        f"the answer was not complete within the request's deadline of {format_seconds(deadline_s)}; "
        f"{num_written_tokens} tokens were written; raise deadline_s or ask for fewer tokens",
        param="deadline_s",
    )
