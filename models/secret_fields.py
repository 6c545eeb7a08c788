"""Structs that may hold secrets and show none: what is written to a log or a terminal is their `repr`."""

import msgspec

SECRETS = ("_token", "_secret", "_password")
"""How the names of fields end that nobody is shown."""


class Discreet(msgspec.Struct, frozen=True):
    """A struct whose `repr` leaves its secrets out."""

    def __repr__(self) -> str:
        """Return all but the secrets."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if not name.endswith(SECRETS)}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"
