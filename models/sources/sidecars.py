"""Digests that lie beside files: `FILE.sha256` and `SHA256SUMS`, as `sha256sum` writes them. Pure."""

import re

MAX_BYTES = 2**20
_LINE = re.compile(r"\\?(?P<sha256>[0-9a-fA-F]{64})(?:[ \t]+\*?(?P<name>.+))?")
_TAGGED = re.compile(r"SHA256 ?\((?P<name>.+)\) = (?P<sha256>[0-9a-fA-F]{64})")


def digest_in(text: bytes, name: str) -> str | None:
    """Return the sha256 that the text states of a file: on a line with its name, or as all there is."""
    if len(text) > MAX_BYTES:
        return None
    lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    matches = [match for line in lines if (match := _LINE.fullmatch(line) or _TAGGED.fullmatch(line)) is not None]
    named = [match for match in matches if (match["name"] or "").replace("\\", "/").rpartition("/")[2] == name]
    if not named and len(lines) == 1 and matches and matches[0]["name"] is None:
        named = matches
    digests = {match["sha256"].lower() for match in named}
    return digests.pop() if len(digests) == 1 else None
