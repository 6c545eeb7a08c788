"""Reading under a root: bounded, never blocking, never outside, and every failure a note."""

import os
from pathlib import Path

import pytest

from appliance.hardware.files import MAX_FILE_BYTES, Notes, Tree, parse_cpu_list, parse_int, printable
from tests.unit.hardware.trees import tree_of


def test_a_file_is_read_as_text_line_and_number(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {"/sys/size": " 42\n", "/sys/model": "Some  board\0\nmore\n"})
    assert tree.read_text("/sys/size") == " 42\n"
    assert tree.read_int("/sys/size") == 42
    assert tree.read_line("/sys/model") == "Some board"
    assert tree.notes.as_tuple() == ()


def test_what_is_absent_is_no_note_unless_it_is_expected(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {})
    assert (tree.read_text("/a"), tree.read_line("/a"), tree.read_int("/a"), tree.list_dir("/a")) == (
        "",
        None,
        None,
        (),
    )
    assert tree.notes.as_tuple() == ()
    tree.read_text("/proc/cpuinfo", is_expected=True)
    assert tree.notes.as_tuple() == ("/proc/cpuinfo cannot be read: No such file or directory",)


def test_what_cannot_be_read_is_a_note() -> None:
    tree = Tree(Path("/"), Notes())
    assert tree.read_text("/proc/self/mem") == ""  # nothing is mapped at its beginning
    assert tree.notes.as_tuple() == ("/proc/self/mem cannot be read: Input/output error",)


def test_a_fifo_a_folder_and_a_device_do_not_block(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {"/folder/": ""}, {"/endless": os.path.relpath("/dev/zero", tmp_path)})
    os.mkfifo(tmp_path / "fifo")
    assert [tree.read_text(path) for path in ("/fifo", "/folder", "/endless")] == ["", "", ""]
    assert len(tree.notes.as_tuple()) == 2  # the link stays inside, where there is no such device
    assert Tree(Path("/"), Notes()).read_text("/dev/zero") == ""


def test_a_huge_file_is_cut_with_a_note(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {})
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**40)
    assert len(tree.read_text("/huge")) == MAX_FILE_BYTES
    assert "/huge is larger than 256 KiB" in tree.notes.as_tuple()[0]


def test_binary_becomes_text_that_can_be_shown(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {})
    (tmp_path / "junk").write_bytes(b"\xff\x1b[31mred\0\x07")
    assert tree.read_line("/junk") == "\N{REPLACEMENT CHARACTER} [31mred"


def test_links_are_followed_inside_the_root(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("not ours")
    tree = tree_of(
        tmp_path / "root",
        {"/usr/lib/os-release": "inside", "/devices/usb1/sda/size": "7"},
        {
            "/etc/os-release": "/usr/lib/os-release",
            "/up": "../../../outside",
            "/absolute": str(outside),
            "/class/sda": "../devices/usb1/sda",
        },
    )
    assert tree.read_text("/etc/os-release") == "inside"
    assert (tree.read_text("/up"), tree.read_text("/absolute")) == ("", "")
    assert tree.read_int("/class/sda/size") == 7
    assert tree.resolve("/class/sda/size") == "/devices/usb1/sda/size"
    assert tree.link_name("/class/sda") == "sda"
    assert tree.link_name("/devices") is None


def test_links_in_a_circle_are_a_note(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {}, {"/a": "b", "/b": "a"})
    assert tree.read_text("/a") == ""
    assert tree.list_dir("/b") == ()
    assert tree.resolve("/a") is None
    assert "symbolic links" in tree.notes.as_tuple()[0]


def test_names_that_cannot_be_shown_are_left_out_of_a_folder(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {"/d/b": "", "/d/a": ""})
    (tmp_path / "d" / os.fsdecode(b"\xff")).write_text("")
    assert tree.list_dir("/d") == ("a", "b")


def test_notes_are_kept_once_and_not_without_end() -> None:
    notes = Notes()
    for number in range(1000):
        notes.add(f"note {number}")
        notes.add("note 0")
    assert len(notes.as_tuple()) == 64
    assert notes.as_tuple()[:2] == ("note 0", "note 1")


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), (" -1\n", -1), ("3\0", 3), ("", None), ("max", None), ("0x10", None), ("²", None), ("9" * 5000, None)],
)
def test_only_plain_numbers_are_numbers(text: str, number: int | None) -> None:
    assert parse_int(text) == number


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("0", (0,)), ("0-2,5\n", (0, 1, 2, 5)), ("7-8,3", (3, 7, 8)), ("", ()), ("5-2,x,-", ()), ("0-99999999999", ())],
)
def test_lists_of_processors_are_read(text: str, cpus: tuple[int, ...]) -> None:
    assert parse_cpu_list(text) == cpus


def test_printable_text_is_one_short_line() -> None:
    assert printable(" a\n\tb\x00c " + "d" * 1000).startswith("a b c dddd")
    assert len(printable("d" * 1000)) == 200
