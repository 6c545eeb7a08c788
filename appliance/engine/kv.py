"""The KV cache of one model: which handle holds which tokens, what stays when a sequence leaves, what comes back.

Owns the handles, the index of what they hold, and the tiers behind them; is told by the engine who comes and goes.
Nothing here computes: a handle is opened with the longest prefix that anybody has, and the engine computes the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass

from appliance.backends.base import KVCacheFull, LoadedModel, SnapshotRejected, TokenArray

from .blocks import Block, Found, block_end
from .prefix import Entry, PrefixIndex, Scope
from .tiers import Tiers

MIN_SHARED_TOKENS = 32  # less is computed again sooner than it is looked after
MAX_IDLE_TOKENS = 512  # where idle cells slow every step, no more stay in the cache while others run


@dataclass(frozen=True, slots=True)
class Source:
    """Where the first `num_tokens` of a sequence come from: another handle, kept blocks, or, with 0, nowhere."""

    num_tokens: int = 0
    entry: Entry | None = None
    found: Found | None = None


class KVCache:
    """The handles of one model. At any time a handle is free, used by a running sequence, or merely retained."""

    def __init__(self, model: LoadedModel, index: PrefixIndex, tiers: Tiers, clock: Callable[[], float]) -> None:
        self._model = model
        self._traits = model.traits
        self._index = index
        self._tiers = tiers
        self._clock = clock
        self._free_handles = list(range(self._traits.max_sequences - 1, -1, -1))
        self._unsaved: dict[int, int] = {}  # handle -> how many of its tokens are to be kept beyond the cells

    @property
    def retained_tokens(self) -> int:
        """Tokens in the cells that no running sequence uses."""
        return self._index.retained_tokens

    @property
    def has_unsaved(self) -> bool:
        """Whether something that ended has not been kept yet."""
        return bool(self._unsaved)

    @property
    def gives_memory_back(self) -> bool:
        """Whether `clear` would free anything."""
        return bool(self.retained_tokens or self._tiers.memory_bytes)

    # Coming

    def find(self, scope: Scope, tokens: TokenArray, parked: Block | None = None) -> Source | None:
        """Return the longest prefix that anybody has, None while it is just being computed or fetched.

        `parked` is what a sequence left when it was paused: all of it comes back, wherever the grid is.
        """
        self._tiers.collect()
        match = self._index.match(tokens, scope)
        found = self._tiers.parked(parked) if parked is not None else None
        if found is None:
            found = self._tiers.find(scope, tokens)
        held = max(match.num_tokens, found.num_tokens)
        if match.num_coming - held >= MIN_SHARED_TOKENS:
            return None
        if found.num_tokens > match.num_tokens:
            return Source(found.num_tokens, found=found) if self._tiers.fetch(found) else None
        return Source(match.num_tokens, entry=match.entry)

    def has_room(self, source: Source, num_needed: int, others_running: bool) -> bool:
        """Return whether a sequence of so many tokens fits now, after evicting what is merely retained."""
        if source.found is not None:
            num_needed = max(num_needed, source.found.blocks[-1].end)
        elif self._traits.copy_cost == "shared":
            num_needed -= source.num_tokens
        while others_running and (self._model.free_tokens() < num_needed or not self._free_handles):
            if not self.evict_oldest(keep=source.entry):
                return False
        return True

    def open(self, scope: Scope, tokens: TokenArray, num_planned: int, source: Source) -> tuple[int, int]:
        """Return a handle, and how many of the tokens it begins with. `tokens` may grow to `num_planned` and beyond."""
        entry, num_cached = source.entry, source.num_tokens
        if entry is not None and self._is_taken_over(entry, num_cached):
            handle = entry.handle
            if num_cached < entry.num_tokens:
                self._save_all(handle)
                self._model.truncate(handle, num_cached)
                self._unsaved.pop(handle, None)
            self._index.remove(handle)
        else:
            while not self._free_handles:
                if not self.evict_oldest(keep=entry):
                    self.evict_oldest(keep=None)
                    entry, num_cached = None, 0 if source.found is None else num_cached
            handle = self._free_handles.pop()
            if source.found is not None:
                num_cached = self._restore(handle, source.found)
            elif entry is not None:
                self._model.copy(entry.handle, handle, num_cached)
        self._index.insert(
            Entry(
                handle=handle,
                scope=scope,
                tokens=tokens,
                num_tokens=num_cached,
                num_planned=num_planned,
                is_locked=True,
                last_used_s=self._clock(),
            )
        )
        return handle, num_cached

    def _is_taken_over(self, entry: Entry, num_cached: int) -> bool:
        """Return whether a retained handle is taken as it is: all of it is wanted, or a copy would cost memory."""
        return not entry.is_locked and (entry.num_tokens == num_cached or self._traits.copy_cost == "memory")

    def _restore(self, handle: int, found: Found) -> int:
        """Bring blocks back and return how many tokens are there: fewer, if one cannot be read or does not fit."""
        for block in found.blocks:
            assert block.snapshot is not None, "only what was fetched is restored"
            try:
                self._model.restore(handle, block.snapshot)
            except SnapshotRejected:
                self._tiers.drop(block)
                return self._model.length_tokens(handle)
            except KVCacheFull:
                return self._model.length_tokens(handle)
        if found.num_tokens < found.blocks[-1].end:
            self._model.truncate(handle, found.num_tokens)
        self._tiers.use(found)
        return found.num_tokens

    def extend(self, handle: int, num_tokens: int) -> None:
        """Note that a running sequence's handle now holds so many of its tokens."""
        self._index.extend(handle, num_tokens)

    # Leaving

    def retain(self, handle: int) -> None:
        """Keep what a finished sequence leaves: in its cells until they are needed, and soon also beyond them."""
        entry = self._index.entry(handle)
        self._index.release(handle, self._clock())
        if entry.num_tokens >= MIN_SHARED_TOKENS:
            self._unsaved[handle] = entry.num_tokens

    def park(self, handle: int) -> Block:
        """Free the handle of a sequence that will go on later. What it holds is kept, and locked until `unpark`."""
        entry = self._index.entry(handle)
        parked = self._tiers.held(entry.scope, entry.tokens[: entry.num_tokens])
        self._tiers.lock(parked)
        while (saved := self._save_block(handle, entry.num_tokens, is_locked=True)) is not None:
            parked = saved
        self.free(handle)
        return parked

    def unpark(self, parked: Block) -> None:
        """Let what a sequence left go like anything else that is kept."""
        self._tiers.unlock(parked)

    def free(self, handle: int) -> None:
        """Give a handle back with all that it holds."""
        self._model.truncate(handle, 0)
        self._index.remove(handle)
        self._unsaved.pop(handle, None)
        self._free_handles.append(handle)

    def forget(self, scope: Scope) -> None:
        """Forget what a private request left."""
        if scope.is_private:
            self._tiers.forget(scope)

    # Making room

    def evict_oldest(self, keep: Entry | None) -> bool:
        """Take the least recently used retained prefix, but not `keep`, out of the cells; False if there is none."""
        entry = self._index.oldest_retained(but=() if keep is None else (keep.handle,))
        if entry is None:
            return False
        if entry.num_tokens >= MIN_SHARED_TOKENS:
            self._save_all(entry.handle)
        self.free(entry.handle)
        return True

    def clear(self) -> None:
        """Give back all memory that no running sequence needs."""
        while self.evict_oldest(keep=None):
            pass
        self._tiers.clear_memory()

    # Keeping beyond the cells

    def tend(self, others_running: bool) -> None:
        """Keep one more block of what ended, and take out of the cells what is kept and slows the steps.

        Called once a step: everybody waits meanwhile, and the memory of a block costs a millisecond or, fresh from the
        system, ten.
        """
        self._tiers.collect()
        for handle, num_tokens in self._unsaved.items():
            if self._save_block(handle, num_tokens) is None:
                del self._unsaved[handle]
            break
        most = self._max_idle_tokens(others_running)
        while self._index.retained_tokens > most:
            entry = self._index.oldest_retained(but=self._unsaved)
            if entry is None:
                return
            self.free(entry.handle)

    def _max_idle_tokens(self, others_running: bool) -> int:
        if self._traits.retain == "no":
            return 0
        is_free = self._traits.retain == "free" or not others_running
        return self._traits.kv_capacity_tokens if is_free else MAX_IDLE_TOKENS

    def save_prompt(self, handle: int) -> None:
        """Take a checkpoint where a state cannot be cut later: what is not kept now is lost with the next token."""
        if not self._traits.can_truncate:
            self._save_all(handle)

    def _save_all(self, handle: int) -> None:
        while self._save_block(handle, self._index.entry(handle).num_tokens) is not None:
            pass

    def _save_block(self, handle: int, num_tokens: int, *, is_locked: bool = False) -> Block | None:
        """Keep the next block of the first tokens of a handle; None when there is none, or no room for it."""
        entry = self._index.entry(handle)
        tokens = entry.tokens[:num_tokens]
        held = self._tiers.held(entry.scope, tokens)
        if held.end >= num_tokens or not (self._traits.can_truncate or entry.num_tokens == num_tokens):
            return None
        end = block_end(held.end, tokens, self._index.grid)
        snapshot = self._model.snapshot(handle, held.end, end)
        return self._tiers.keep(entry.scope, held, tokens[held.end : end], snapshot, is_locked=is_locked)

    def check_integrity(self, running: dict[int, int]) -> None:
        """Assert that index, handles and model agree; `running` maps handles to what they hold. For tests."""
        self._index.check_integrity()
        self._tiers.check_integrity()
        assert len(self._index) + len(self._free_handles) == self._traits.max_sequences
        assert self._index.num_retained() == len(self._index) - len(running)
        for handle, num_tokens in running.items():
            assert self._model.length_tokens(handle) == num_tokens == self._index.entry(handle).num_tokens
        assert all(num_tokens <= self._index.entry(handle).num_tokens for handle, num_tokens in self._unsaved.items())
