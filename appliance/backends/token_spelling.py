"""From a token as a vocabulary writes it to the bytes that it stands for. Pure.

Sources: Hugging Face tokenizers, `decoders`; the alphabet is that of GPT-2's `bytes_to_unicode`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Spelling = Callable[[str], bytes]

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE = "▁"
_CONTINUATION = "##"


def spelling_of(decoder: Mapping[str, Any] | None) -> Spelling:
    """Return how to spell the tokens of a vocabulary with this `decoder` (the field of `tokenizer.json`)."""
    kinds = {part.get("type"): part for part in _parts(decoder)}
    if "ByteLevel" in kinds:
        return _spell_bytes
    if "WordPiece" in kinds:
        return _spell_word_piece
    space = kinds["Metaspace"].get("replacement", _SPACE) if "Metaspace" in kinds else _SPACE
    return lambda piece: _spell_text(piece, space)


def _parts(decoder: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    if decoder is None:
        return
    yield decoder
    for part in decoder.get("decoders") or ():
        yield from _parts(part)


def _alphabet() -> dict[str, int]:
    """Return the byte of each character: printable ones stand for themselves, the others follow from 256 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTE_OF = _alphabet()


def _spell_bytes(piece: str) -> bytes:
    try:
        return bytes([_BYTE_OF[character] for character in piece])
    except KeyError:  # no token that the alphabet could write, so it is text
        return piece.encode()


def _spell_text(piece: str, space: str) -> bytes:
    byte = _BYTE.fullmatch(piece)
    return bytes.fromhex(byte[1]) if byte else piece.replace(space, " ").encode()


def _spell_word_piece(piece: str) -> bytes:
    is_continued = piece.startswith(_CONTINUATION)
    return piece.removeprefix(_CONTINUATION).encode() if is_continued else f" {piece}".encode()
