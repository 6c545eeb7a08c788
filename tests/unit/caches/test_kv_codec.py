"""What is stored is what was given, in fewer bytes where that is possible."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.caches.kv_codec import RAW, Damaged, choose_width, decode, encode

NORMAL = np.random.default_rng(0).standard_normal(200_000)


def views(*arrays: np.ndarray) -> list[memoryview]:
    return [memoryview(array.tobytes()) for array in arrays]


def stored_bytes(parts: list[memoryview], width_bytes: int) -> np.ndarray:
    return np.frombuffer(b"".join(encode(parts, width_bytes).buffers), np.uint8)


@given(parts=st.lists(st.binary(max_size=50), max_size=4), width_bytes=st.sampled_from([RAW, 1, 2, 4]))
def test_every_width_gives_back_what_it_was_given(parts: list[bytes], width_bytes: int) -> None:
    content = b"".join(parts)
    stored = stored_bytes([memoryview(part) for part in parts], width_bytes)
    assert decode(stored, width_bytes, len(content)).tobytes() == content


@pytest.mark.parametrize(("kind", "width_bytes"), [(np.float16, 2), (np.float32, 4)])
def test_the_exponents_of_floats_shrink_when_their_width_is_known(kind: type, width_bytes: int) -> None:
    parts = views(NORMAL.astype(kind))
    assert choose_width(parts) == width_bytes
    assert encode(parts, width_bytes).num_bytes < 0.88 * parts[0].nbytes


def test_what_does_not_shrink_is_stored_as_it_is_without_a_copy() -> None:
    parts = views(np.random.default_rng(0).integers(0, 256, 100_000, np.uint8))
    assert choose_width(parts) == RAW
    assert encode(parts, RAW).buffers[0].obj is parts[0].obj


def test_bytes_that_do_not_decode_to_the_right_number_are_damaged() -> None:
    stored = stored_bytes(views(NORMAL.astype(np.float16)), 2)
    with pytest.raises(Damaged, match="instead of"):
        decode(stored, 2, 399_999)
    with pytest.raises(Damaged, match="does not decompress"):
        decode(stored[:-1], 2, 400_000)
    with pytest.raises(Damaged, match="instead of"):
        decode(stored, RAW, 400_000)
