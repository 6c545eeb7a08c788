"""Finds the part of a JSON schema for which the whole is refused. Pure: told by `trial` what is wrong with a part."""

from collections.abc import Callable

from .schema_check import Schema, resolve, subschemas

Trial = Callable[[Schema], str | None]

MAX_TRIALS = 300  # a part costs 0.2 ms


def find_fault(schema: Schema, reason: str, trial: Trial) -> tuple[str, str]:
    """Return the smallest part that is refused by itself, as a JSON pointer, and why.

    Goes down from the whole, which is refused for `reason`, as long as one of the parts explains it. `trial` returns
    None for a part that can be used.
    """
    path, part, num_trials = "#", schema, 0
    seen = {path}
    while True:
        parts = [(path + step, child) for step, child in subschemas(part)]
        if isinstance(part, dict) and isinstance(target := part.get("$ref"), str):
            followed = resolve(schema, target)
            parts += [] if followed is None or target in seen else [(target, followed)]
        for place, child in parts:
            num_trials += 1
            if num_trials > MAX_TRIALS:
                return path, reason
            found = trial(child)
            if found is not None and _explains(place, found, reason):
                path, part, reason = place, child, found
                seen.add(path)
                break
        else:
            return path, reason


def _explains(place: str, found: str, reason: str) -> bool:
    """Return whether what is wrong with a part is what is wrong with the whole.

    A part that nothing satisfies only matters where the whole says so: what may be left out is simply never written.
    """
    return found == reason or ("unsatisfiable" in reason and f"'{place.rsplit('/', 1)[-1]}'" in reason)
