"""How the files of a model are called that is split: `STEM-00001-of-00003.gguf`. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<ending>\.[A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class ShardName:
    """One of `count` parts, of which the first has the number 1."""

    stem: str
    number: int
    count: int
    ending: str

    @property
    def is_possible(self) -> bool:
        """Return whether a model can have such a part."""
        return 1 <= self.number <= self.count

    def names(self) -> Iterator[str]:
        """Yield what all parts are called, in their order."""
        return (f"{self.stem}-{number:05}-of-{self.count:05}{self.ending}" for number in range(1, self.count + 1))


def shard_of(name: str) -> ShardName | None:
    """Return what a name, also with folders before it, says of a part; None for the name of a whole file."""
    match = _SHARD.fullmatch(name)
    return ShardName(match["stem"], int(match["number"]), int(match["count"]), match["ending"]) if match else None
