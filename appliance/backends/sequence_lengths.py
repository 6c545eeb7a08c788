"""Lengths of sequences that share no tokens: the table of a backend that copies. Where copies share, see `cells`."""


class SequenceLengths:
    """How many tokens each sequence holds, and all of them together."""

    def __init__(self, max_sequences: int) -> None:
        self._lengths = [0] * max_sequences
        self.total = 0

    def length(self, sequence: int) -> int:
        """Return the tokens of one sequence."""
        return self._lengths[sequence]

    def append(self, sequence: int, num_tokens: int) -> int:
        """Add tokens and return the new length."""
        self._lengths[sequence] += num_tokens
        self.total += num_tokens
        return self._lengths[sequence]

    def truncate(self, sequence: int, num_tokens: int) -> None:
        """Keep the first tokens only."""
        self.total -= self._lengths[sequence] - num_tokens
        self._lengths[sequence] = num_tokens
