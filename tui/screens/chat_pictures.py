"""A picture of the person's machine as it goes to a model: inside the question, as an address that holds the data."""

import base64
from pathlib import Path

from appliance.core.units import format_bytes
from appliance.words import tr

from .chat_talk import Picture

MAX_BYTES = 20 * 2**20
_BEGINNINGS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp", b"BM": "bmp"}


def read_picture(typed: str) -> Picture:
    """Return the picture of a file. Raises: ValueError, with a sentence for people."""
    path = Path(typed).expanduser()
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_BYTES:
            raise ValueError(tr("{size} is too large to send", size=format_bytes(size_bytes)))
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(tr("it cannot be read: {problem}", problem=error.strerror)) from error
    kind = next((kind for beginning, kind in _BEGINNINGS.items() if data.startswith(beginning)), None)
    if kind is None:
        raise ValueError(tr("this is no PNG, JPEG, GIF, WebP or BMP"))
    return Picture(path.name, f"data:image/{kind};base64,{base64.b64encode(data).decode()}")
