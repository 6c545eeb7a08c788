"""A conversation without its oldest turns: a turn is what a user says, and all that follows until a user speaks again.

What the system was told at the beginning always stays.
"""

from collections.abc import Sequence

import msgspec

from appliance.core.request import ChatPrompt, Message


def num_turns(prompt: ChatPrompt) -> int:
    """Return how many turns there are."""
    return len(_turns(prompt.messages)[1])


def without_oldest(prompt: ChatPrompt, num_left_out: int) -> ChatPrompt:
    """Return the conversation without that many turns."""
    beginning, turns = _turns(prompt.messages)
    kept = (message for turn in turns[num_left_out:] for message in turn)
    return msgspec.structs.replace(prompt, messages=(*beginning, *kept))


def num_to_leave_out(num_turns: int, num_fitting: int) -> int:
    """Return how many turns to leave out where only the last `num_fitting` fit.

    More than need be: multiples of a power of two that is at most half of those. So a conversation that grows begins
    alike for some turns; with one turn less each time, nothing of it would ever be found in the prefix cache.
    """
    step = 1
    while step * 4 <= num_fitting:
        step *= 2
    least = num_turns - num_fitting
    return min(-(-least // step) * step, num_turns - 1)


def _turns(messages: Sequence[Message]) -> tuple[list[Message], list[list[Message]]]:
    rest = list(messages)
    beginning = []
    while rest and rest[0].role == "system":
        beginning.append(rest.pop(0))
    turns: list[list[Message]] = []
    for message in rest:
        if message.role == "user" or not turns:
            turns.append([])
        turns[-1].append(message)
    return beginning, turns
