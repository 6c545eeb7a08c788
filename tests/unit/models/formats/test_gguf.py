"""Reading and writing GGUF: what was written is read back, and no damage to a file ends otherwise than in GGUFError."""

import os
import stat
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.formats.gguf import MAX_NUMBERS, MAX_STRINGS, SMALL_ARRAY, ArrayInfo, GGUFError, read_gguf
from models.formats.gguf_writer import Tensor, Value, write_gguf
from models.formats.quantize import decode

METADATA: dict[str, Value] = {
    "general.architecture": "qwen2",
    "a.bool": True,
    "a.negative": -3,
    "a.large": 2**40,
    "a.float": 0.5,
    "a.layers": [1, 2, 3],
    "a.floats": [0.5, 1.5],
    "a.bools": [True, False],
    "a.words": ["ä", ""],
    "a.vocabulary": [f"token {i}" for i in range(1500)],
    "a.types": [1] * 1500,
}
ROWS = np.arange(6 * 64, dtype=np.float32).reshape(6, 64) / 100


def write_sample(path: Path) -> Path:
    tensors = [
        Tensor("plain", ROWS.shape, "F32", lambda: [ROWS[:4], ROWS[4:]]),
        Tensor("odd", (5,), "F32", lambda: [ROWS[0, :5]]),
        Tensor("small", ROWS.shape, "Q8_0", lambda: [ROWS]),
        Tensor("half", (2, 3, 64), "F16", lambda: [ROWS]),
    ]
    write_gguf(path, METADATA, tensors)
    return path


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "sample.gguf")


def test_what_was_written_is_read_back(sample: Path) -> None:
    file = read_gguf(sample, read_arrays=True)
    expected = {key: tuple(value) if isinstance(value, list) else value for key, value in METADATA.items()}
    assert file.metadata == expected
    assert file.version == 3
    assert file.file_size_bytes == sample.stat().st_size
    assert [(tensor.name, tensor.shape, tensor.type) for tensor in file.tensors] == [
        ("plain", (6, 64), "F32"),
        ("odd", (5,), "F32"),
        ("small", (6, 64), "Q8_0"),
        ("half", (2, 3, 64), "F16"),
    ]


def test_offsets_lead_to_the_numbers_of_each_tensor(sample: Path) -> None:
    data = sample.read_bytes()
    for tensor in read_gguf(sample).tensors:
        assert tensor.offset_bytes % 32 == 0
        numbers = decode(data[tensor.offset_bytes : tensor.offset_bytes + tensor.size_bytes], tensor.type)
        expected = ROWS.reshape(-1)[: len(numbers)]
        np.testing.assert_allclose(numbers, expected, atol=0.02)


def test_long_arrays_are_skipped_unless_they_are_asked_for(sample: Path) -> None:
    metadata = read_gguf(sample).metadata
    assert metadata["a.vocabulary"] == ArrayInfo("string", 1500)
    assert metadata["a.types"] == ArrayInfo("int32", 1500)
    assert metadata["a.layers"] == (1, 2, 3)


def test_a_head_longer_than_the_first_read_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.formats.gguf.FIRST_READ_BYTES", 100)
    assert len(read_gguf(write_sample(tmp_path / "sample.gguf")).tensors) == 4


def test_a_large_vocabulary_is_passed_over_quickly(tmp_path: Path) -> None:
    path = tmp_path / "large.gguf"
    write_gguf(path, {"tokens": ["token"] * 152_000, "merges": ["mer ge"] * 152_000}, [])
    began_s = time.process_time()
    assert read_gguf(path).metadata["tokens"] == ArrayInfo("string", 152_000)
    assert time.process_time() - began_s < 0.25  # about 0.03 on a quiet machine


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "only 0 bytes"),
        (b"PK\x03\x04" + bytes(40), "begins with"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1 is not supported"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "tensors do not fit"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "metadata keys"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**63), "a metadata key is"),
        (b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"k", 99), "unknown type 99"),
        (b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 9, 1), "unusable type 9"),
        (b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 0, 2**62), "do not fit"),
        (b"GGUF" + struct.pack("<IQQQ1sIQ", 3, 0, 1, 1, b"k", 8, 50), "ends past the file"),
        (b"GGUF" + struct.pack("<IQQQ17sII", 3, 0, 1, 17, b"general.alignment", 4, 3), "power of two"),
    ],
)
def test_a_wrong_head_is_named(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "wrong.gguf"
    path.write_bytes(data)
    with pytest.raises(GGUFError, match=complaint):
        read_gguf(path)


def described(name: bytes, shape: tuple[int, ...], number: int, offset_bytes: int) -> bytes:
    dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return struct.pack("<Q", len(name)) + name + dimensions + struct.pack("<IQ", number, offset_bytes)


@pytest.mark.parametrize(
    ("tensors", "complaint"),
    [
        ([described(b"t", (32,), 0, 1)], "offset 1 is not aligned to 32"),
        ([described(b"t", (33, 2), 8, 0)], "rows of 33 do not divide into Q8_0 blocks"),
        ([described(b"t", (), 8, 0)], "rows of 1 do not divide into Q8_0 blocks"),
        ([described(b"t", (1, 1, 1, 1, 1), 0, 0)], "5 dimensions, more than 4"),
        ([described(b"t", (1,), 5, 0)], "type 5, which this version does not know"),
        ([described(b"t", (2**62, 2**62), 0, 0)], "cut short"),
        ([described(b"t", (1,), 0, 0)] * 2, "the same name"),
        ([described(b"\xff", (1,), 0, 0)], "not UTF-8"),
    ],
)
def test_a_wrong_tensor_is_named(tmp_path: Path, tensors: list[bytes], complaint: str) -> None:
    path = tmp_path / "wrong.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 0) + b"".join(tensors) + bytes(300))
    with pytest.raises(GGUFError, match=complaint):
        read_gguf(path)


def test_a_key_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + struct.pack("<Q1sIB", 1, b"k", 0, 7) * 2)
    with pytest.raises(GGUFError, match="'k' occurs twice"):
        read_gguf(path)


def test_version_2_is_read_as_well(sample: Path) -> None:
    data = sample.read_bytes()
    sample.write_bytes(data[:4] + struct.pack("<I", 2) + data[8:])
    assert read_gguf(sample).version == 2


def test_a_string_that_claims_to_be_endless_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.gguf"
    write_gguf(path, {"tokens": ["xy"] * 2000}, [])
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<Q2s", 2, b"xy"), struct.pack("<Q2s", 2**64 - 1, b"xy"), 1))
    with pytest.raises(GGUFError, match="ends past the file"):
        read_gguf(path)


def test_more_strings_than_any_vocabulary_has_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wrong.gguf"
    with path.open("wb") as stream:
        stream.write(b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 8, MAX_STRINGS + 1))
        stream.truncate(2**40)
    with pytest.raises(GGUFError, match="more than 4000000 strings"):
        read_gguf(path)


@pytest.mark.parametrize("num_arrays", [1, 5000])
def test_a_flood_of_numbers_is_passed_over_not_kept(tmp_path: Path, num_arrays: int) -> None:
    path = tmp_path / "flood.gguf"
    count = MAX_NUMBERS + 1 if num_arrays == 1 else SMALL_ARRAY
    arrays = (struct.pack("<Q4sIIQ", 4, b"%04d" % i, 9, 0, count) + bytes(count) for i in range(num_arrays))
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, num_arrays) + b"".join(arrays))
    values = list(read_gguf(path, read_arrays=True).metadata.values())
    assert values[-1] == ArrayInfo("uint8", count)
    assert sum(len(value) for value in values if isinstance(value, tuple)) <= MAX_NUMBERS


def test_a_file_that_is_cut_short_says_so(sample: Path) -> None:
    data = sample.read_bytes()
    sample.write_bytes(data[:-200])
    with pytest.raises(GGUFError, match="cut short: tensor 'half' ends at byte"):
        read_gguf(sample)


def test_every_cut_of_a_file_ends_as_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    write_gguf(path, {"k": [1, 2], "s": ["a", "b"]}, [Tensor("t", (32,), "Q8_0", lambda: [ROWS[0, :32]])])
    data = path.read_bytes()
    for length in range(len(data) - 32):
        path.write_bytes(data[:length])
        with pytest.raises(GGUFError):
            read_gguf(path, read_arrays=True)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_mutation_of_a_file_ends_otherwise_than_in_gguf_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    original = folder / "original.gguf"
    if not original.exists():
        write_sample(original)
    content = bytearray(original.read_bytes())
    places = st.one_of(st.integers(0, 600), st.integers(0, len(content) - 1))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(places)
        patch = data.draw(st.one_of(st.binary(min_size=1, max_size=9), st.just(b"\xff" * 8), st.just(b"\x00" * 8)))
        content[place : place + len(patch)] = patch
    mutated = folder / "mutated.gguf"
    mutated.write_bytes(content)
    try:
        read_gguf(mutated, read_arrays=data.draw(st.booleans()))
    except GGUFError as error:
        assert str(error)


@settings(max_examples=100, deadline=None)
@given(tail=st.binary(max_size=400))
def test_garbage_behind_a_good_magic_number_ends_as_gguf_error(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + tail)
    with pytest.raises(GGUFError):
        read_gguf(path)


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced, sync = tmp_path / "x.gguf", [], os.fsync

    def record(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), path.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    write_gguf(path, {}, [])
    assert synced == [(False, False), (True, True)]  # the file before the rename, the folder after it


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(sample: Path) -> None:
    before = sample.read_bytes()
    wrong = Tensor("short", (6, 64), "F32", lambda: [ROWS[:2]])
    with pytest.raises(ValueError, match="gave 512 bytes where its shape needs 1536"):
        write_gguf(sample, {}, [wrong])
    assert sample.read_bytes() == before
    assert list(sample.parent.iterdir()) == [sample]


@pytest.mark.parametrize(
    ("metadata", "tensor_type"), [({"k": []}, "F32"), ({"k": [1, "a"]}, "F32"), ({"k": 2**64}, "F32"), ({}, "Q9_9")]
)
def test_what_the_format_cannot_hold_is_refused(tmp_path: Path, metadata: dict[str, Value], tensor_type: str) -> None:
    with pytest.raises(ValueError, match=r"k: |Q9_9"):
        write_gguf(tmp_path / "x.gguf", metadata, [Tensor("t", (6, 64), tensor_type, lambda: [ROWS])])
