"""Finds stop strings in text that arrives in pieces, and lets no part of one through."""


class StopMatcher:
    """Passes text on up to the first stop string.

    First is the one whose last character comes first, since generation ends there; of several that end together, the
    longest counts. So the result does not depend on how the text is cut into pieces.
    """

    def __init__(self, strings: tuple[str, ...]) -> None:
        self._strings = tuple(string for string in strings if string)
        self._first_characters = frozenset(string[0] for string in self._strings)
        self._held = ""
        self.matched: str | None = None

    def feed(self, text: str) -> tuple[str, bool]:
        """Return the text that can no longer become part of a stop string, and whether one was completed.

        After a stop string, which `matched` then names, nothing more comes out, and nothing may be fed.
        """
        if not self._strings:
            return text, False
        text = self._held + text
        found = [(start + len(string), start) for string in self._strings if (start := text.find(string)) >= 0]
        if found:
            self._held = ""
            end, start = min(found)
            self.matched = text[start:end]
            return text[:start], True
        safe = self._undecided_from(text)
        self._held = text[safe:]
        return text[:safe], False

    def flush(self) -> str:
        """Return what was held back, once the sequence has ended without a stop string."""
        held, self._held = self._held, ""
        return held

    def _undecided_from(self, text: str) -> int:
        """Return where the longest suffix begins that some stop string begins with."""
        longest = max(map(len, self._strings)) - 1
        for start in range(max(0, len(text) - longest), len(text)):
            if text[start] in self._first_characters and any(s.startswith(text[start:]) for s in self._strings):
                return start
        return len(text)
