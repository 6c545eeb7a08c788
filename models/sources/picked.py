"""What a chooser of one format gives back, and what the choosers share. Pure."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from models.formats.shard_names import ShardName, shard_of
from models.sources.base import RemoteFile, SourceError

_LEGAL = re.compile(r"(licen[cs]e|notice|use_policy)[^/]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Picked:
    """Files of one format. `stem` is the name that the weights have, None where the repository's says more."""

    files: tuple[RemoteFile, ...]
    stem: str | None = None
    label: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Shards:
    """A file, or those parts of a split one that are there. `num_parts` is how many there should be."""

    stem: str
    files: tuple[RemoteFile, ...]
    num_parts: int = 1

    @property
    def size_bytes(self) -> int | None:
        """Return the size of all parts, None where one is not known."""
        sizes = [file.size_bytes for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def whole(self) -> tuple[RemoteFile, ...]:
        """Return all parts in their order. Raises: SourceError, where some are missing."""
        if len(self.files) != self.num_parts:
            raise SourceError(
                f"the model has {self.num_parts} parts, and {len(self.files)} are there: {self.files[0].name} …"
            )
        return self.files


def grouped(files: Iterable[RemoteFile]) -> list[Shards]:
    """Return the files, with the parts of each split one together and in their order."""
    groups: dict[tuple[str, int], dict[int, RemoteFile]] = {}
    for file in files:
        shard = shard_of(file.name)
        stem, number, count = file.name.rpartition(".")[0], 1, 1
        if shard and shard.is_possible:
            stem, number, count = shard.stem, shard.number, shard.count
        groups.setdefault((stem, count), {})[number] = file
    return [
        Shards(stem, tuple(parts[number] for number in sorted(parts)), count)
        for (stem, count), parts in sorted(groups.items())
    ]


def parts_named(files: Sequence[RemoteFile], wanted: str) -> list[RemoteFile]:
    """Return the file of that name, with or without its folder, and all parts of it where it was split."""
    folded = wanted.casefold()
    named = [file.name for file in files if folded in (file.name.casefold(), file.name.rpartition("/")[2].casefold())]
    exact = [name for name in named if wanted in (name, name.rpartition("/")[2])]
    stems = {_without_number(name) for name in exact or named}
    return [file for file in files if _without_number(file.name) in stems]


def _without_number(name: str) -> ShardName | str:
    """Return what the parts of one file have in common, and no other file."""
    shard = shard_of(name)
    return replace(shard, number=0) if shard else name


def legal_files(files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """Return the texts that say what may be done with a model: they belong to every copy of it."""
    return [file for file in files if _LEGAL.fullmatch(file.name)]


def nearest_names(wanted: str, names: Sequence[str], limit: int = 8) -> str:
    """Return what a person could have meant, as the end of a sentence."""
    if len(names) <= limit:
        return f"it has {', '.join(names)}"
    near = difflib.get_close_matches(wanted, names, n=limit, cutoff=0.0)
    return f"the nearest of {len(names)} are {', '.join(near)}"
