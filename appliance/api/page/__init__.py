"""The page for a person with a browser: its files by the path that each is served at. Knows nothing of HTTP.

`page.js` is the whole, `api.js` speaks to the daemon, `box.js` shows the machine, `chat.js` the conversation,
`markdown.js` what models write, `elements.js` makes elements. Nothing is built and nothing is loaded from elsewhere.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file; `tag` names its content."""

    content: bytes
    media_type: str
    tag: str


def _read(path: Path) -> PageFile:
    content = path.read_bytes()
    return PageFile(content, _TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:20]}"')


def _path_of(path: Path) -> str:
    return "/" if path.name == "index.html" else f"/page/{path.name}"


FILES: Mapping[str, PageFile] = {
    _path_of(path): _read(path) for path in sorted(Path(__file__).parent.iterdir()) if path.suffix in _TYPES
}
"""Read once, when the daemon starts: what is served stays whole while an update replaces the files."""
