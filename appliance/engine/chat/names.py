"""What can be the name of a function, wherever a family writes it."""

import re

MAX_HEADER_CHARACTERS = 256
"""What stands before the arguments of a call is at most so long; anything longer is no call."""

_NAME = re.compile(r"""[^\s<>{}\[\]()"'`]{1,128}""")


def is_name(text: str) -> bool:
    """Return whether the text can be a name."""
    return _NAME.fullmatch(text) is not None
