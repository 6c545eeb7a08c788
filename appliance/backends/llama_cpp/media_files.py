"""Looks at a medium before libmtmd does: whether it reads the format at all, and how much memory that would take.

The library sizes its buffers by what a file says of itself, hands what it does not know to programs on the machine
(video, WebP), and a buffer that cannot be had ends the process. So only known formats with believable sizes go there.
"""

import re
import struct
import zlib
from collections.abc import Iterator

from appliance.core.request import MediaKind
from appliance.errors import InvalidRequest

MAX_PIXELS = 2**25  # 100 MB as they lie in memory, three times for a moment
MAX_SIDE = 16_384
MAX_AUDIO_S = 3600.0
_RATES = range(4000, 384_001)
_LARGEST = 0xFFFFFFFF  # the size that a program writes which did not know how long its recording would be
_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_PLAIN = frozenset({_PCM, _FLOAT, _ALAW, _ULAW})
_SUBFORMAT_AT = 24  # in an extensible header. Source: mmreg.h, WAVEFORMATEXTENSIBLE
# Kilobits a second and samples a second of MPEG audio, layer III. Source: ISO/IEC 11172-3 and 13818-3.
_BITRATES = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8000)}
# Where a header of layer III may begin: what its first three bytes may be, free bitrates left out.
_MP3_THIRD = re.escape(bytes(each for each in range(0x10, 0xF0) if each & 0x0C != 0x0C))
_MP3_HEADER = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][%b]" % _MP3_THIRD)
_MP3_FORM = 0xFFFE0C00  # the bits of version, layer and rate
_MAX_FALSE_HEADERS = 10_000  # of a file of noise, which would keep a thread busy for long
_MP3_TAG = re.compile(rb"Xing|Info|VBRI")
"""In a first frame without sound: how many frames there are, which the library believes."""
# The markers that begin a JPEG's frame. Source: ITU-T T.81, table B.1.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def checked(kind: MediaKind, content: bytes) -> bytes:
    """Return the content as the library may be given it. Raises: InvalidRequest, naming what is wrong with it."""
    try:
        return _picture(content) if kind == "image" else _recording(content)
    except (struct.error, IndexError, zlib.error) as error:
        raise InvalidRequest(f"the {_name(kind)} is damaged or cut off; send the whole file again") from error


def _name(kind: MediaKind) -> str:
    return "image" if kind == "image" else "audio"


def _picture(content: bytes) -> bytes:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        kind, width, height, depth, colours = struct.unpack_from(">4sIIBB", content, 12)
        if kind != b"IHDR":
            raise InvalidRequest("the image is damaged: its size does not come first; save it again as PNG or JPEG")
        _check_pixels(width, height)
        _check_inflated(content, height * (1 + width * depth * _channels(colours) // 8))
    elif content.startswith(b"\xff\xd8"):
        _check_pixels(*_jpeg_size(content))
    elif content.startswith((b"GIF87a", b"GIF89a")):
        _check_pixels(*struct.unpack_from("<HH", content, 6))
    elif content.startswith(b"BM"):
        width, height = struct.unpack_from("<ii", content, 18)
        _check_pixels(abs(width), abs(height))
    else:
        what = "WebP is not" if content[8:12] == b"WEBP" else "these bytes are not"
        raise InvalidRequest(f"the image cannot be read: {what} among PNG, JPEG, GIF and BMP, which this model reads")
    return content


def _check_pixels(width: int, height: int) -> None:
    if not (width and height):
        raise InvalidRequest("the image has no pixels: it is damaged or cut off; send the whole file again")
    if not (width <= MAX_SIDE and height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise InvalidRequest(
            f"the image has {width} x {height} pixels; at most {MAX_PIXELS} are read, and {MAX_SIDE} on a side. Send "
            "it smaller: models look at far fewer"
        )


def _channels(colours: int) -> int:
    return {0: 1, 2: 3, 3: 1, 4: 2}.get(colours, 4)


def _check_inflated(content: bytes, num_bytes: int) -> None:
    """Refuse a PNG that inflates to more than its pixels, with room for the passes of an interlaced one."""
    left, inflater = 2 * num_bytes + 65_536, zlib.decompressobj()
    for kind, start, size in _png_chunks(content):
        packed = content[start : start + size] if kind == b"IDAT" else b""
        while packed and left > 0:
            left -= len(inflater.decompress(packed, min(left, 2**20)))
            packed = inflater.unconsumed_tail
    if left <= 0:
        raise InvalidRequest("the image inflates to far more than its pixels; send it as another program writes it")


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    position = 8
    while position + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, position)
        yield kind, position + 8, size
        position += size + 12


def _jpeg_size(content: bytes) -> tuple[int, int]:
    """Return the size in the first frame, over the same segments as the library goes: it skips what is none."""
    position = 2
    while True:
        position = content.find(b"\xff", position)
        if position < 0:
            raise IndexError("no frame begins")
        while content[position] == 0xFF:
            position += 1
        (size,) = struct.unpack_from(">H", content, position + 1)
        if content[position] in _FRAMES:
            height, width = struct.unpack_from(">HH", content, position + 4)
            return width, height
        position += 1 + size


def _recording(content: bytes) -> bytes:
    if content.startswith(b"RIFF") and content[8:12] == b"WAVE":
        return _wav(content)
    if content.startswith(b"fLaC"):
        (packed,) = struct.unpack_from(">Q", content, 18)  # 20 bits of rate, 8 of the form, 36 of how many samples
        _check_duration(packed >> 44, packed & (2**36 - 1))
    elif content.startswith(b"ID3") or re.match(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", content):
        return _mp3(content)
    else:
        raise InvalidRequest("the audio cannot be read: these bytes are not among WAV, MP3 and FLAC")
    return content


def _check_duration(rate: int, num_samples: int) -> None:
    if rate not in _RATES:
        raise InvalidRequest(f"the audio says that it has {rate} samples a second, which is not believable")
    if num_samples > MAX_AUDIO_S * rate:
        raise InvalidRequest(f"the audio is longer than {MAX_AUDIO_S / 60:.0f} minutes; send it in parts")


def _wav(content: bytes) -> bytes:
    position, frame_bytes, rate = 12, 0, 0
    while True:
        kind, size = struct.unpack_from("<4sI", content, position)
        if kind == b"fmt ":
            form, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", content, position + 8)
            if form == _EXTENSIBLE:
                (form,) = struct.unpack_from("<H", content, position + 8 + _SUBFORMAT_AT)
            if form not in _PLAIN or not channels or bits not in range(8, 65, 8):
                raise InvalidRequest("the audio is a WAV file with compressed samples; send plain ones, MP3 or FLAC")
            frame_bytes = channels * bits // 8
        elif kind == b"data":
            there = len(content) - position - 8
            if not frame_bytes or (size > there and size < _LARGEST):
                raise InvalidRequest("the audio is damaged or cut off; send the whole file again")
            size = min(size, there) // frame_bytes * frame_bytes
            _check_duration(rate, size // frame_bytes)
            return content[: position + 4] + struct.pack("<I", size) + content[position + 8 : position + 8 + size]
        position += 8 + size + size % 2


def _mp3(content: bytes) -> bytes:
    """Return its frames alone, one behind the other, so that the library finds no others and no count of its own.

    Raises: InvalidRequest, where they last too long or there are none.
    """
    frames: list[bytes] = []
    form, duration_s, position, num_false = 0, 0.0, _behind_tag(content), 0
    while num_false < _MAX_FALSE_HEADERS and (found := _MP3_HEADER.search(content, position)):
        position = found.start()
        frame = _mp3_frame(content, position, form)
        if frame is None:
            position, num_false = position + 1, num_false + 1
            continue
        num_bytes, seconds, form = frame
        if frames or not _MP3_TAG.search(content, position, position + num_bytes):
            frames.append(content[position : position + num_bytes])
            duration_s += seconds
        position += num_bytes
        if duration_s > MAX_AUDIO_S:
            _check_duration(_RATES.start, int(2 * duration_s * _RATES.start))
    if not frames or num_false == _MAX_FALSE_HEADERS:
        raise IndexError("no frame begins")
    return b"".join(frames)


def _behind_tag(content: bytes) -> int:
    if not content.startswith(b"ID3"):
        return 0
    high, upper, lower, low = content[6:10]
    return 10 + (high << 21 | upper << 14 | lower << 7 | low)


def _mp3_frame(content: bytes, position: int, form: int) -> tuple[int, float, int] | None:
    """Return the bytes and seconds of a frame of layer III and its form, which all have in common (0: not known yet).

    None where no such frame begins, or it is not whole, or the first is followed by none.
    """
    if position + 4 > len(content):
        return None
    (header,) = struct.unpack_from(">I", content, position)
    version, bitrate, rate, padding = header >> 19 & 3, header >> 12 & 15, header >> 10 & 3, header >> 9 & 1
    samples_per_s, is_first = _MP3_RATES[version][rate], version == 3
    num_samples = 1152 if is_first else 576
    num_bytes = num_samples // 8 * _BITRATES[is_first][bitrate] * 1000 // samples_per_s + padding
    end = position + num_bytes
    if end > len(content) or (form and header & _MP3_FORM != form):
        return None
    if not form and end < len(content) and not _MP3_HEADER.match(content, end):
        return None
    return num_bytes, num_samples / samples_per_s, header & _MP3_FORM
