"""Turns a decision into a frame for the worker, and moves the requests of an entry accordingly."""

from appliance.core.messages import Pause, Resume, Start, ToWorker

from .admission import decide
from .entry import ModelEntry
from .placement import Placement


def hand_over(entry: ModelEntry, now_s: float) -> list[ToWorker]:
    """Take in what is decided now and return what the worker is told; nothing, when nothing changes.

    Places of what is paused count as free at once: the worker lets go of them before it reads the rest of the frame.
    """
    decision = decide(entry.demand(), entry.shares, entry.places, now_s)
    frame: list[ToWorker] = []
    for id in decision.pauses:
        paused = entry.paused[id] = entry.running.pop(id)
        paused.pause(now_s)
        frame.append(Pause(id=id))
    for id in decision.resumes:
        resumed = entry.running[id] = entry.paused.pop(id)
        resumed.run(now_s)
        frame.append(Resume(id=id))
    for admitted in decision.starts:
        started = entry.running[admitted.id] = entry.waiting.pop(admitted.id)
        started.run(now_s)
        frame.append(_start(started, admitted.start_tokens, now_s))
    return frame


def _start(placement: Placement, start_tokens: float, now_s: float) -> Start:
    record = placement.record
    return Start(
        request=record.request,
        waited_s=now_s - record.arrived_s,
        rank=start_tokens,
        caller=record.caller.id,
        weight=placement.weight,
    )
