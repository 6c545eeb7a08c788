"""What a file is by its first bytes: the formats that can be decoded here, and those that people send nevertheless.

Sources: stb_image.h and miniaudio.h, which read them in the end; each format's own specification for its signature.
Formats that stb_image knows and nobody sends (PSD, TGA, HDR, PIC, PNM) are left out: less for a decoder to trip over.
"""

from typing import Literal

from appliance.core.request import MediaKind

Format = Literal["PNG", "JPEG", "GIF", "BMP", "WAV", "MP3", "FLAC"]

KINDS: dict[Format, MediaKind] = {
    "PNG": "image",
    "JPEG": "image",
    "GIF": "image",
    "BMP": "image",
    "WAV": "audio",
    "MP3": "audio",
    "FLAC": "audio",
}
WANTED: dict[MediaKind, str] = {"image": "PNG, JPEG, GIF or BMP", "audio": "WAV, MP3 or FLAC"}
NOUNS: dict[MediaKind, str] = {"image": "picture", "audio": "recording"}

_SIGNATURES: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"fLaC", "FLAC"),
    (b"ID3", "MP3"),
)
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"%PDF", "PDF"),
    (b"OggS", "Ogg"),
    (b"\x1aE\xdf\xa3", "WebM"),
    (b"<svg", "SVG"),
    (b"<?xml", "XML"),
    (b"<!DOCTYPE", "HTML"),
    (b"<!doctype", "HTML"),
    (b"<html", "HTML"),
)
_BOXES = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"M4A ": "M4A"}
_LAYER_3 = 1


def format_of(data: bytes) -> Format | None:
    """Return the format of a file, None where it is none that is decoded here."""
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "WAV"
    if len(data) > 2 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0 and data[1] >> 1 & 3 == _LAYER_3:
        return "MP3"
    return None


def other_name(data: bytes) -> str | None:
    """Return what people call a format that is not decoded here, None where it is not known either."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        return _BOXES.get(data[8:12], "MP4")
    start = data[:64].lstrip()
    return next((name for signature, name in _OTHERS if start.startswith(signature)), None)
