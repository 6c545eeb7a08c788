"""Who asks: the identity that queues, limits and logs are kept by."""

from typing import Literal

import msgspec

Scope = Literal["use", "operate", "admin"]
SCOPES: tuple[Scope, ...] = ("use", "operate", "admin")


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """A caller as authentication found it. `weight` is its share of the machine against other callers."""

    id: str
    source: Literal["key", "header", "user", "local"]
    scope: Scope
    weight: float = 1.0

    def may(self, scope: Scope) -> bool:
        """Return whether this caller's scope includes `scope` (each scope includes the ones before it)."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


LOCAL = Caller(id="local", source="local", scope="admin")
