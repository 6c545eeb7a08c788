"""Damaged trees: whatever stands in the kernel's place, the probes answer, soon, with what can be sent."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.hardware import HardwareSnapshot
from appliance.hardware.cgroup import parse_cgroup
from appliance.hardware.cpuinfo import parse_cpuinfo
from appliance.hardware.disks import parse_mountinfo
from appliance.hardware.files import parse_cpu_list, parse_int, printable
from appliance.hardware.memory import memory_available_bytes, parse_meminfo
from appliance.hardware.probe import probe
from appliance.hardware.processor import parse_allowed_cpus
from tests.unit.hardware.machines import tree_of
from tests.unit.hardware.trees import FILES, LINKS, plant

# A healthy tree takes milliseconds, and what asks the drivers of a GPU is stopped after two seconds.
MAX_PROBE_S = 4.0
# Thousands of files come and go: in memory, where that is possible.
FOLDER = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

VALUES = (
    "",
    "-1",
    "0",
    "9" * 18,
    "9" * 5000,
    "0-99999999999",
    "0-8191",
    "\N{SUPERSCRIPT TWO}",
    "0::\0/../..",
    "\x1b[2J",
    "1 0",
    ":\n" * 50,
)


def _to_fifo(place: Path) -> None:
    os.mkfifo(place)


def _to_loop(place: Path) -> None:
    place.symlink_to(place.name)


def _to_root(place: Path) -> None:
    place.symlink_to("/")


def _to_holes(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(2**40)


def _to_long_lines(place: Path) -> None:
    place.write_text("processor : 7\nflags : a b\n\n" * 20_000)


REPLACEMENTS: tuple[Callable[[Path], object], ...] = (
    lambda place: None,
    Path.mkdir,
    _to_fifo,
    _to_loop,
    _to_root,
    _to_holes,
    _to_long_lines,
)
PLACES = sorted({*FILES, *LINKS, *(str(parent) for path in [*FILES, *LINKS] for parent in Path(path).parents)} - {"/"})
DAMAGE = st.one_of(
    st.sampled_from(REPLACEMENTS),
    st.sampled_from(VALUES),
    st.binary(max_size=200),
    st.integers(min_value=1, max_value=30),  # so many characters are left
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), DAMAGE), min_size=1, max_size=8))
def test_a_damaged_tree_is_described_in_time(
    damages: list[tuple[str, Callable[[Path], object] | str | bytes | int]],
) -> None:
    with TemporaryDirectory(dir=FOLDER) as folder:
        root = plant(Path(folder), FILES, LINKS)
        for path, damage in damages:
            _damage(root, path, damage)
        _assert_is_described(root)


@pytest.mark.parametrize("name", ["epyc-vm", "raspberry-pi-5", "rtx-workstation"])
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_a_damaged_fixture_is_described_in_time(name: str, data: st.DataObject) -> None:
    with TemporaryDirectory(dir=FOLDER) as folder:
        root = Path(shutil.copytree(tree_of(name), Path(folder) / "root", symlinks=True))
        places = sorted(str(place.relative_to(root)) for place in root.rglob("*"))
        for path in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=len(places) // 4)):
            _damage(root, path, data.draw(DAMAGE))
        _assert_is_described(root)


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_a_tree_of_which_every_file_is_damaged_is_described_in_time(
    tmp_path: Path, replacement: Callable[[Path], object]
) -> None:
    root = plant(tmp_path, FILES, LINKS)
    for path in FILES:
        _damage(root, path, replacement)
    _assert_is_described(root)


@pytest.mark.parametrize("value", VALUES)
def test_a_tree_of_which_every_file_says_the_same_is_described_in_time(tmp_path: Path, value: str) -> None:
    _assert_is_described(plant(tmp_path, dict.fromkeys(FILES, value), LINKS))


@given(st.one_of(st.text(), st.text(alphabet="0123456789-,:\t\n kBMemTotal/ ")))
def test_no_text_is_too_strange_for_a_parser(text: str) -> None:
    for parse in (parse_cpuinfo, parse_meminfo, parse_cgroup, parse_mountinfo, parse_cpu_list, parse_allowed_cpus):
        parse(text)
    assert isinstance(parse_int(text), int | None)
    assert printable(text).isprintable()


def _assert_is_described(root: Path) -> None:
    started_s = time.perf_counter()
    snapshot = probe(root, timeout_s=2)
    assert time.perf_counter() - started_s < MAX_PROBE_S
    assert msgspec.json.decode(msgspec.json.encode(snapshot), type=HardwareSnapshot) == snapshot
    assert snapshot.processor.usable_cores >= 1
    assert snapshot.memory.total_bytes > 0
    assert isinstance(memory_available_bytes(root), int)


def _damage(root: Path, path: str, damage: Callable[[Path], object] | str | bytes | int) -> None:
    place = root / path.lstrip("/")
    if any(parent.is_symlink() or not parent.is_dir() for parent in place.parents if parent.is_relative_to(root)):
        return  # an earlier damage took its folder, or a link leads out of the tree: the machine's own files stay
    kept = b""
    if isinstance(damage, int) and place.is_file():
        with place.open("rb") as file:
            kept = file.read(damage)
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    if isinstance(damage, str):
        place.write_text(damage)
    elif isinstance(damage, bytes | int):
        place.write_bytes(kept if isinstance(damage, int) else damage)
    else:
        damage(place)
