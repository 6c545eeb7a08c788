"""Reading safetensors: what lies where is found, and no damage to a file ends otherwise than in SafetensorsError."""

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.formats.float_tensors import as_float32
from models.formats.safetensors import SafetensorsError, read_safetensors

ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)
HEADER: dict[str, Any] = {
    "__metadata__": {"format": "pt"},
    "second": {"dtype": "BF16", "shape": [3], "data_offsets": [24, 30]},
    "first": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    "empty": {"dtype": "F16", "shape": [0, 4], "data_offsets": [24, 24]},
    "scalar": {"dtype": "F64", "shape": [], "data_offsets": [30, 38]},
}
DATA = ROWS.tobytes() + np.array([1.5, -2, 0], np.float32).view("<u2")[1::2].tobytes() + struct.pack("<d", 0.25)


def written(path: Path, header: bytes, data: bytes = DATA) -> Path:
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


def sample(path: Path, **changes: Any) -> Path:
    return written(path, json.dumps(HEADER | changes).encode())


def test_tensors_are_found_in_the_order_in_which_they_lie(tmp_path: Path) -> None:
    path = sample(tmp_path / "a.safetensors")
    file = read_safetensors(path)
    assert file.metadata == {"format": "pt"}
    assert [(tensor.name, tensor.shape, tensor.dtype) for tensor in file.tensors] == [
        ("first", (2, 3), "F32"),
        ("empty", (0, 4), "F16"),
        ("second", (3,), "BF16"),
        ("scalar", (), "F64"),
    ]
    content = np.fromfile(path, np.uint8)
    numbers = [as_float32(content[each.offset_bytes :][: each.size_bytes], each.dtype) for each in file.tensors]
    assert [each.tolist() for each in numbers] == [list(range(6)), [], [1.5, -2, 0], [0.25]]


def test_a_type_that_is_no_float_is_not_taken_for_one() -> None:
    with pytest.raises(ValueError, match="'F8_E4M3'"):
        as_float32(np.zeros(4, np.uint8), "F8_E4M3")


def test_a_header_may_be_filled_up_with_spaces(tmp_path: Path) -> None:
    header = json.dumps(HEADER).encode()
    assert len(read_safetensors(written(tmp_path / "a", header + b" " * 7)).tensors) == 4


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"first": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 20]}}, "lies in 20 bytes and needs 24"),
        ({"first": {"dtype": "F32", "shape": [2, 3], "data_offsets": [24, 0]}}, "lies in -24 bytes"),
        ({"first": {"dtype": "F32", "shape": [2, -3], "data_offsets": [0, 24]}}, "cannot be read"),
        ({"first": {"dtype": "F32", "shape": [2**62] * 8, "data_offsets": [0, 24]}}, "lies in 24 bytes"),
        ({"first": {"dtype": "F32", "shape": [1] * 9, "data_offsets": [0, 24]}}, "9 dimensions"),
        ({"first": {"dtype": "F32", "shape": [2, 2.5], "data_offsets": [0, 24]}}, "cannot be read"),
        ({"first": {"dtype": "F32", "shape": [True, 3], "data_offsets": [0, 24]}}, "cannot be read"),
        ({"first": {"dtype": "Q4", "shape": [2, 3], "data_offsets": [0, 24]}}, "'Q4'"),
        ({"first": {"dtype": "F32", "shape": [2, 3]}}, "cannot be read"),
        ({"twin": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}, "begins at byte"),
        ({"second": {"dtype": "BF16", "shape": [2], "data_offsets": [26, 30]}}, "begins at byte"),
        ({"far": {"dtype": "U8", "shape": [2**40], "data_offsets": [38, 38 + 2**40]}}, "cut short"),
        ({"__metadata__": {"format": 1}}, "cannot be read"),
    ],
)
def test_a_description_that_cannot_be_true_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SafetensorsError, match=reason):
        read_safetensors(sample(tmp_path / "a", **changes))


def test_bytes_behind_the_last_tensor_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SafetensorsError, match="1 bytes that belong to no tensor"):
        read_safetensors(written(tmp_path / "a", json.dumps(HEADER).encode(), DATA + b"x"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        b"\0" * 8,
        b"GGUF\3\0\0\0" * 40,
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 400_000) + b'{"a":' + b"[" * 399_995,
    ],
)
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(SafetensorsError):
        read_safetensors(path)


def only_its_own_error(path: Path) -> None:
    with suppress(SafetensorsError):
        file = read_safetensors(path)
        assert all(each.offset_bytes + each.size_bytes <= path.stat().st_size for each in file.tensors)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BF16", "F4", "Q4"]) | JSON_VALUES,
        "shape": st.lists(st.integers(-2, 2**64), max_size=10) | JSON_VALUES,
        "data_offsets": st.lists(st.integers(-2, 2**64), max_size=3) | JSON_VALUES,
    }
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], Path]:
    path = tmp_path_factory.mktemp("fuzzed") / "a.safetensors"

    def write(content: bytes) -> Path:
        path.write_bytes(content)
        return path

    return write


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_bytes_end_in_one_error(scratch: Callable[[bytes], Path], data: st.DataObject) -> None:
    header = json.dumps(HEADER).encode()
    content = bytearray(struct.pack("<Q", len(header)) + header + DATA)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    only_its_own_error(scratch(bytes(content[: data.draw(st.integers(0, len(content)))])))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(max_size=8), ENTRIES | JSON_VALUES, max_size=4), st.binary(max_size=64))
def test_a_header_of_any_json_ends_in_one_error(
    scratch: Callable[[bytes], Path], header: dict[str, Any], data: bytes
) -> None:
    encoded = json.dumps(header).encode()
    only_its_own_error(scratch(struct.pack("<Q", len(encoded)) + encoded + data))
