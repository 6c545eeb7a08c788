"""Who goes first and who has to step back: the engine's policy between sequences. Pure; knows no model.

A step is as long as the target while somebody decodes and one prompt is read, stretched with each further prompt: a
batch that fills up sooner serves its caller faster. Where several callers are there nobody waits long behind another's
burst.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol, TypeVar

FINISHING_STRETCH = 1.75
"""A prompt that can be read to its end in a step so long is: one longer wait for all, and its first token is there."""

NEWCOMER_STRETCH = 2.5
"""A prompt of a caller who writes nothing may have a step to itself that is no longer."""

MAX_STRETCH_ALONE = 5.0
MAX_STRETCH_SHARED = 2.0
MIN_LEAD_SEQUENCES = 2
"""A caller steps back for another of the same class only while it would still have as many places."""


class Turn(Protocol):
    """What the policy needs to know of a sequence; `turn` is (class, rank in it, number), the lower the earlier."""

    turn: tuple[int, float, int]
    caller: str
    weight: float


AnyTurn = TypeVar("AnyTurn", bound=Turn)


def displaced(newcomer: Turn, running: Sequence[Turn]) -> int | None:
    """Return the index of the sequence that gives its place to `newcomer`, None where it has to wait.

    The last of a lower class; else the last of the caller with the most places in the newcomer's own class, as long
    as the newcomer's has `MIN_LEAD_SEQUENCES` fewer. So a caller with one request runs beside one with fifty.
    """
    if not running:
        return None
    last = max(range(len(running)), key=lambda index: running[index].turn)
    if running[last].turn[0] > newcomer.turn[0]:
        return last
    peers = [index for index, each in enumerate(running) if each.turn[0] == newcomer.turn[0]]
    places = Counter(running[index].caller for index in peers)
    if not places:
        return None
    most, num_most = max(places.items(), key=lambda item: item[1])
    if num_most - places[newcomer.caller] < MIN_LEAD_SEQUENCES:
        return None
    return max((index for index in peers if running[index].caller == most), key=lambda index: running[index].turn)


def last_in_class_below(newcomer: Turn, running: Sequence[Turn]) -> int | None:
    """Return the index of the last sequence of a lower class than the newcomer's, None where there is none."""
    last = max(range(len(running)), key=lambda index: running[index].turn, default=None)
    return None if last is None or running[last].turn[0] <= newcomer.turn[0] else last


def those_beside(reader: Turn, running: Sequence[AnyTurn]) -> list[AnyTurn]:
    """Return who takes part in a step in which the prompt of `reader` is read: nobody of a lower class.

    What can wait does not hold up a first token, and has its turn again right after.
    """
    return [each for each in running if each.turn[0] <= reader.turn[0]]


def step_time_s(num_decodes: int, num_readers: int, num_callers: int, target_s: float) -> float | None:
    """Return how long a step with prefill may take, None where nobody waits for its end."""
    if not num_decodes:
        return None if num_callers < 2 else MAX_STRETCH_SHARED * target_s
    stretch = 1 + (num_readers - 1) / num_decodes
    return target_s * min(stretch, MAX_STRETCH_ALONE if num_callers < 2 else MAX_STRETCH_SHARED)


def is_read_alone(reader: Turn, decoding: Sequence[Turn], read_s: float, target_s: float) -> bool:
    """Return whether the first of those who read gets a step to itself, in which nobody writes.

    Only where its caller writes nothing, and others of its class do: their streams pause once, and it does not wait
    behind all that one of them has opened. `decoding` are those beside it, and `read_s` is what the rest of its prompt
    would take.
    """
    if not decoding or reader.caller in {each.caller for each in decoding}:
        return False
    return read_s <= NEWCOMER_STRETCH * target_s and reader.turn[0] <= min(each.turn[0] for each in decoding)


def share_ratio(readers: Sequence[Turn], decoding: Sequence[Turn]) -> float:
    """Return the time that prefill has a right to, for each second of the decodes, at most 1.

    It is the weight of the callers who only wait for their first token against that of the callers who write.
    """
    writing = {each.caller: each.weight for each in decoding}
    waiting = {each.caller: each.weight for each in readers if each.caller not in writing}
    return min(sum(waiting.values()) / sum(writing.values()), 1.0) if writing else 0.0
