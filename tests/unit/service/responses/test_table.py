"""Responses and conversations on disk: what is kept, for how long, and how much of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.errors import StorageError
from appliance.service.responses.table import Entry, KeptTable
from appliance.settings import ResponsesSettings

SETTINGS = ResponsesSettings(keep_s=100, max_bytes=10_000)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[KeptTable]:
    table = KeptTable(tmp_path / "state.db", SETTINGS)
    yield table
    table.close()


def item(id: str, text: str = "") -> dict[str, Any]:
    return {"id": id, "type": "message", "text": text}


def save(table: KeptTable, id: str, now_s: float, *, previous: str | None = None, size: int = 10) -> None:
    entry = Entry(
        id=id, owner="me", kind="response", status="completed", body=b"{}", previous_id=previous, log=b"x" * size
    )
    table.save(entry, [item(f"{id}-in")], [item(f"{id}-out")], now_s)


def ids(items: object) -> list[str]:
    assert isinstance(items, list)
    return [item["id"] for item in items]


def there(table: KeptTable, now_s: float, *names: str) -> list[str]:
    return [name for name in names if table.body("me", "response", name, now_s) is not None]


def test_a_chain_is_told_from_its_beginning(table: KeptTable) -> None:
    save(table, "a", 0)
    save(table, "b", 1, previous="a")
    save(table, "c", 2, previous="b")
    assert ids(table.chain("me", "c", 2)) == ["a-in", "a-out", "b-in", "b-out", "c-in", "c-out"]
    assert table.chain("you", "c", 2) == "c"
    table.delete("me", "response", "b")
    assert table.chain("me", "c", 2) == "b"


def test_saving_again_replaces_what_was(table: KeptTable) -> None:
    save(table, "a", 0)
    save(table, "a", 1, size=20)
    assert table.log("me", "response", "a", 1) == b"x" * 20
    assert ids(table.items("me", "response", "a", "in", 1)) == ["a-in"]


def test_what_is_too_old_is_not_there_and_then_deleted(table: KeptTable) -> None:
    save(table, "a", 0)
    assert there(table, 100, "a") == ["a"]
    assert there(table, 101, "a") == []
    assert table.chain("me", "a", 101) == "a"
    assert table.find_item("me", "a-in", 101) is None
    table.sweep(101)
    assert there(table, 0, "a") == []


def test_what_is_gone_on_with_stays_as_long_as_its_newest_part(table: KeptTable) -> None:
    save(table, "a", 0)
    save(table, "b", 90, previous="a")
    assert ids(table.chain("me", "b", 150)) == ["a-in", "a-out", "b-in", "b-out"]


def test_when_it_is_too_much_the_longest_unused_goes_first(table: KeptTable) -> None:
    for number, name in enumerate("abc"):
        save(table, name, number, size=4000)
    assert there(table, 3, "a", "b", "c") == ["b", "c"]
    save(table, "huge", 4, size=20_000)
    assert there(table, 4, "b", "c", "huge") == []


def test_items_go_with_what_held_them(table: KeptTable) -> None:
    save(table, "a", 0)
    assert table.find_item("me", "a-out", 0) == item("a-out")
    assert table.find_item("you", "a-out", 0) is None
    assert table.delete("me", "response", "a")
    assert not table.delete("me", "response", "a")
    assert table.find_item("me", "a-out", 0) is None
    assert table._connection.execute("SELECT count(*) FROM kept_items").fetchone() == (0,)


def test_a_conversation_counts_what_is_added(table: KeptTable) -> None:
    entry = Entry(id="conv", owner="me", kind="conversation", status="", body=b"{}")
    table.save(entry, [], [], 0)
    assert table.append("me", "conv", [item("i", "x" * 9000)], 50)
    assert not table.append("you", "conv", [item("j")], 50)
    assert ids(table.items("me", "conversation", "conv", "in", 140)) == ["i"]
    save(table, "a", 60, size=5000)
    assert table.items("me", "conversation", "conv", "in", 60) is None


def test_only_what_is_unfinished_is_found_as_such(table: KeptTable) -> None:
    save(table, "a", 0)
    entry = Entry(id="b", owner="me", kind="response", status="queued", body=b'{"b":1}', request=b'{"c":2}')
    table.save(entry, [], [], 0)
    assert table.unfinished() == [("me", b'{"b":1}', b'{"c":2}')]


def test_what_was_asked_is_forgotten_when_it_has_ended(table: KeptTable) -> None:
    entry = Entry(id="a", owner="me", kind="response", status="queued", body=b"{}", request=b'{"c":2}')
    table.save(entry, [], [], 0)
    save(table, "a", 1)
    assert table.unfinished() == []
    assert table._connection.execute("SELECT request FROM kept").fetchall() == [(None,)]


def test_a_full_disk_is_an_error_and_keeps_what_was(table: KeptTable) -> None:
    save(table, "a", 0)
    pages = table._connection.execute("PRAGMA page_count").fetchone()[0]
    table._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="full"):
        save(table, "b", 1, size=100_000)
    assert there(table, 1, "a", "b") == ["a"]


def test_an_item_that_cannot_be_read_is_an_error(table: KeptTable) -> None:
    save(table, "a", 0)
    table._connection.execute("UPDATE kept_items SET item = 'no'")
    with pytest.raises(StorageError, match="cannot be read"):
        table.find_item("me", "a-in", 0)
