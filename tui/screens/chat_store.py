"""The conversations that a person saved: a JSON file each, in a folder of theirs."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from .chat_talk import Conversation, to_markdown


class Shelf:
    """Owns the folder. Its methods raise OSError where the folder cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> Iterator[tuple[str, Conversation]]:
        """Yield the conversations with the names of their files, the newest first; what cannot be read is left out."""
        if not self._folder.is_dir():
            return
        for file in sorted(self._folder.glob("*.json"), reverse=True):
            found = self.read(file.stem)
            if found is not None:
                yield file.stem, found

    def read(self, name: str) -> Conversation | None:
        """Return a conversation, None where the file is none."""
        try:
            return msgspec.json.decode((self._folder / f"{name}.json").read_bytes(), type=Conversation)
        except (OSError, msgspec.DecodeError):
            return None

    def save(self, conversation: Conversation, name: str | None) -> str:
        """Write a conversation over the one of that name, or under a new one, and return its name."""
        chosen = name or self._new_name(conversation)
        self._write(f"{chosen}.json", msgspec.json.format(msgspec.json.encode(conversation)))
        return chosen

    def export(self, conversation: Conversation, name: str | None) -> Path:
        """Write a conversation as Markdown and return where it is."""
        return self._write(f"{name or self._new_name(conversation)}.md", to_markdown(conversation).encode())

    def delete(self, name: str) -> None:
        """Delete a conversation; what was exported stays."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)

    def _write(self, name: str, data: bytes) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._folder / name
        partial = file.with_name(f".{name}.part")
        partial.write_bytes(data)
        partial.replace(file)
        return file

    def _new_name(self, conversation: Conversation) -> str:
        words = re.sub(r"[^\w]+", "-", conversation.title.lower())[:40].strip("-") or "conversation"
        return f"{datetime.fromtimestamp(conversation.saved_s):%Y-%m-%d-%H%M%S}-{words}"
