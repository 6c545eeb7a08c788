"""What a caller may say of the response cache, what became of its request there, and the cache's figures."""

from typing import Literal

import msgspec

CacheMode = Literal["auto", "off", "force"]
CacheScope = Literal["caller", "shared"]
CacheOutcome = Literal["hit", "miss", "shared", "bypass"]
"""Answered from the cache; computed and kept; answered by a computation that was under way; not looked up."""


class CacheWish(msgspec.Struct, frozen=True, kw_only=True):
    """What one request wants of the cache; None leaves it to the settings.

    `mode` "auto" keeps answers that would come out the same again (temperature 0, or a seed), "force" any. An answer
    older than `max_age_s` is computed anew; `refreshes` computes it anew in any case. `only_cached` computes nothing.
    `semantic` False takes only the answer to this very question, where the settings allow that of a near one.
    """

    mode: CacheMode | None = None
    ttl_s: float | None = None
    scope: CacheScope | None = None
    max_age_s: float | None = None
    refreshes: bool = False
    only_cached: bool = False
    semantic: bool = True


class CacheMark(msgspec.Struct, frozen=True, kw_only=True):
    """Where an answer comes from, the name under which it is kept, and how long ago it was computed, of a hit.

    `similarity` is the cosine between the question and the one that was answered, where they are not the same.
    """

    outcome: CacheOutcome
    name: str | None = None
    age_s: float | None = None
    similarity: float | None = None


BYPASS = CacheMark(outcome="bypass")


class CacheTier(msgspec.Struct, frozen=True, kw_only=True):
    """A place where something computed is kept, from the fastest to the largest.

    `kv` are the cells of a loaded model, `prefixes` what it keeps in main memory beside them, `prefixes_on_disk` those
    of all models, `answers` and `answers_on_disk` the response cache. None: not counted so, or not limited.
    """

    name: Literal["kv", "prefixes", "prefixes_on_disk", "answers", "answers_on_disk"]
    model: str | None
    used_bytes: int | None
    max_bytes: int | None
    used_tokens: int | None = None
    max_tokens: int | None = None
    cached_ratio: float | None = None


class CacheFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/cache`. Counters begin with the daemon; bytes and entries are what lies there now.

    `saved_tokens` were answered without being generated, and `saved_s` is the time that they took the first time.
    `tiers` are all places where something computed is kept, prefixes of prompts as well as whole answers.
    """

    mode: CacheMode
    scope: CacheScope
    disk_bytes: int
    max_disk_bytes: int
    num_entries: int
    memory_bytes: int
    max_memory_bytes: int
    num_hits: int
    num_misses: int
    num_shared: int
    saved_tokens: int
    saved_s: float
    tiers: tuple[CacheTier, ...] = ()


class ClearedCache(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `DELETE /admin/v1/cache`."""

    num_entries: int
    freed_bytes: int
