"""Kept prefixes move between memory and a real folder; nothing is lost but time when the folder fails."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.backends.base import Snapshot
from appliance.caches.kv_folder import KvFolder
from appliance.engine import tiers
from appliance.engine.prefix import EVERYBODY, scope_of
from tests.unit.engine.prefix_keeper import Process, contents, files, prompt

PRIVATE = scope_of("private", "r", is_private=True)
BYTES_PER_TOKEN = 4


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start processes that all use the same folder, one after the other; the last is closed at the end."""
    started: list[Process] = []

    def _start(**arguments: Any) -> Process:
        if started:
            started.pop().tiers.close()
        started.append(Process(tmp_path, **arguments))
        return started[-1]

    yield _start
    started.pop().tiers.close()


Start = Callable[..., Process]


def test_what_is_kept_is_on_disk_a_moment_later(start: Start, tmp_path: Path) -> None:
    process = start()
    process.keep(prompt(1, 600))
    assert process.tiers.disk_bytes == 0
    process.collect(3)
    assert process.tiers.disk_bytes == sum(file.stat().st_size for file in files(tmp_path)) > 0
    assert len(files(tmp_path)) == 3


def test_the_next_process_finds_what_the_last_one_kept(start: Start) -> None:
    tokens = prompt(1, 600)
    start().keep(tokens)
    process = start()
    assert process.tiers.memory_bytes == 0
    assert process.num_found(tokens) == 599
    assert process.bring(tokens).tolist() == tokens[:599].tolist()


def test_a_prompt_that_shares_a_part_of_a_block_finds_that_part_on_disk(start: Start) -> None:
    tokens = prompt(1, 600)
    start().keep(tokens)
    other = np.concatenate([tokens[:300], prompt(2, 50)])
    assert start().bring(other).tolist() == tokens[:300].tolist()


def test_a_shared_beginning_is_written_once(start: Start, tmp_path: Path) -> None:
    system = prompt(1, 512)
    process = start()
    process.keep(np.concatenate([system, prompt(2, 40)]))
    process.keep(np.concatenate([system, prompt(3, 40)]))
    process.collect(4)
    assert len(files(tmp_path)) == 4


def test_the_tail_that_a_conversation_outgrew_leaves_the_disk(start: Start, tmp_path: Path) -> None:
    tokens = prompt(1, 500)
    process = start()
    process.keep(tokens[:400])
    process.collect(2)
    process.keep(tokens)
    start()
    assert len(files(tmp_path)) == 2
    assert len({file.stat().st_size for file in files(tmp_path)}) == 2


def test_what_is_short_is_not_worth_a_write(start: Start, tmp_path: Path) -> None:
    start().keep(prompt(1, 200))
    process = start()
    assert files(tmp_path) == []
    assert process.num_found(prompt(1, 200)) == 0


def test_a_damaged_file_goes_with_all_that_follow_and_the_prompt_is_found_shorter(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = prompt(1, 900)
    start().keep(tokens)
    process = start()
    second = process.tiers.find(EVERYBODY, tokens).blocks[1]
    path = tmp_path / f"{second.key.hex()}.kv"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    found = process.tiers.find(EVERYBODY, tokens)
    assert not process.tiers.fetch(found)
    process.collect(4)
    assert process.num_found(tokens) == 256
    assert process.bring(tokens).tolist() == tokens[:256].tolist()
    assert any("checksum" in record.getMessage() for record in caplog.records)
    start()
    assert len(files(tmp_path)) == 1


def test_a_file_that_turns_out_damaged_takes_nothing_that_was_computed_again_meanwhile(
    start: Start, tmp_path: Path
) -> None:
    tokens = prompt(1, 300)
    start().keep(tokens)
    process = start()
    for file in files(tmp_path):
        file.write_bytes(b"")
    found = process.tiers.find(EVERYBODY, tokens)
    assert not process.tiers.fetch(found)
    for block in found.blocks:
        parent = block.parent
        assert parent is not None
        part = memoryview(block.tokens.tobytes())
        process.tiers.keep(EVERYBODY, parent, block.tokens, Snapshot(block.start, len(block.tokens), "test/1", (part,)))
    process.collect(2)
    assert process.num_found(tokens) == 299


def test_memory_holds_no_more_than_its_budget_and_the_disk_has_the_rest(start: Start) -> None:
    process = start(memory_bytes=300 * BYTES_PER_TOKEN)
    prompts = [prompt(seed, 256) for seed in range(6)]
    for tokens in prompts:
        process.keep(tokens)
    process.collect(6)
    assert 0 < process.tiers.memory_bytes <= 300 * BYTES_PER_TOKEN
    for tokens in prompts:
        assert process.bring(tokens).tolist() == tokens[:255].tolist()
        assert process.tiers.memory_bytes <= 300 * BYTES_PER_TOKEN


def test_the_disk_holds_no_more_than_its_budget(start: Start, tmp_path: Path) -> None:
    budget_bytes = 6000
    process = start(memory_bytes=0, disk_bytes=budget_bytes)
    for seed in range(8):
        process.keep(prompt(seed, 256))
    process.collect(8)
    assert 0 < process.tiers.disk_bytes <= budget_bytes
    start(memory_bytes=0, disk_bytes=budget_bytes)
    assert 0 < sum(file.stat().st_size for file in files(tmp_path)) <= budget_bytes


def test_a_smaller_budget_deletes_what_was_used_least_lately_by_an_earlier_process(
    start: Start, tmp_path: Path
) -> None:
    prompts = [prompt(seed, 256) for seed in range(8)]
    process = start()
    for tokens in prompts:
        process.keep(tokens)
    process.collect(8)
    keys = [process.tiers.find(EVERYBODY, tokens).blocks[0].key for tokens in prompts]
    one_bytes = process.tiers.disk_bytes // 8
    for days, key in enumerate(keys):
        os.utime(tmp_path / f"{key.hex()}.kv", (86_400 * days, 86_400 * days))
    start().bring(prompts[1])
    process = start(disk_bytes=3 * one_bytes)
    assert [seed for seed, tokens in enumerate(prompts) if process.num_found(tokens)] == [1, 6, 7]


def test_the_next_process_finds_what_was_kept_in_any_scope_and_in_that_scope_alone(start: Start) -> None:
    tokens, other = prompt(1, 600), scope_of("adapters", "sha256:1")
    start().keep(tokens, other)
    process = start()
    assert (process.num_found(tokens), process.num_found(tokens, other)) == (0, 599)
    process.keep(tokens)
    process = start()
    assert (process.num_found(tokens), process.num_found(tokens, other)) == (599, 599)


def test_a_disk_that_cannot_follow_holds_no_memory(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiers, "_MAX_UNWRITTEN_BYTES", 300 * BYTES_PER_TOKEN)
    process = start(memory_bytes=0)
    assert process.keep(prompt(1, 256)) is not None
    assert process.keep(prompt(2, 256)) is None
    process.collect(1)
    assert process.keep(prompt(3, 256)) is not None
    process.collect(1)
    assert len(files(tmp_path)) == 2


def test_without_a_disk_what_memory_does_not_hold_is_gone() -> None:
    process = Process(memory_bytes=600 * BYTES_PER_TOKEN)
    prompts = [prompt(seed, 256) for seed in range(4)]
    for tokens in prompts:
        process.keep(tokens)
    assert sum(process.num_found(tokens) > 0 for tokens in prompts) == 2
    assert process.tiers.memory_bytes == 512 * BYTES_PER_TOKEN


def test_what_is_larger_than_the_budget_is_not_kept() -> None:
    assert Process(memory_bytes=100).keep(prompt(1, 256)) is None


def test_a_locked_chain_survives_without_any_budget_until_it_is_unlocked() -> None:
    tokens = prompt(1, 600)
    process = Process(memory_bytes=0)
    block = process.keep(tokens, is_locked=True)
    assert block is not None
    assert process.keep(prompt(2, 600)) is None
    parked = process.tiers.parked(block)
    assert parked is not None and contents(parked).tolist() == tokens.tolist()
    process.tiers.unlock(block)
    assert process.num_found(tokens) == process.tiers.memory_bytes == 0


def test_a_locked_chain_survives_budgets_of_nothing_on_disk(start: Start, tmp_path: Path) -> None:
    tokens = prompt(1, 600)
    process = start(memory_bytes=0, disk_bytes=0)
    block = process.keep(tokens, is_locked=True)
    assert block is not None
    process.keep(prompt(2, 600))
    process.collect(6)
    assert process.num_found(prompt(2, 600)) == process.tiers.memory_bytes == 0
    assert process.bring(tokens).tolist() == tokens[:599].tolist()
    process.tiers.unlock(block)
    assert process.num_found(tokens) == process.tiers.disk_bytes == 0
    start()
    assert files(tmp_path) == []


def test_a_chain_that_was_locked_when_it_was_kept_already_stays(start: Start) -> None:
    tokens = prompt(1, 600)
    process = start()
    block = process.keep(tokens)
    assert block is not None
    process.collect(3)
    process.tiers.lock(block)
    process.tiers.clear_memory()
    assert process.tiers.memory_bytes == 0
    parked = process.tiers.parked(block)
    assert parked is not None and not process.tiers.fetch(parked)
    process.collect(3)
    assert process.tiers.fetch(parked) and contents(parked).tolist() == tokens.tolist()


def test_a_parked_chain_that_lost_a_block_is_said_to_be_lost() -> None:
    process = Process()
    block = process.keep(prompt(1, 600), is_locked=True)
    assert block is not None
    process.tiers.drop(block.chain()[1])
    assert process.tiers.parked(block) is None
    assert process.num_found(prompt(1, 600)) == 256
    process.tiers.unlock(block)


def test_what_is_private_is_never_on_disk(start: Start, tmp_path: Path) -> None:
    process = start()
    process.keep(prompt(1, 600), PRIVATE)
    assert process.num_found(prompt(1, 600), PRIVATE) == 599
    assert process.num_found(prompt(1, 600)) == 0
    process = start()
    assert files(tmp_path) == []
    process.keep(prompt(1, 600), PRIVATE)
    process.tiers.forget(PRIVATE)
    assert process.num_found(prompt(1, 600), PRIVATE) == 0
    assert process.tiers.memory_bytes == 0


class FullFolder(KvFolder):
    """A folder on a disk that is full while `is_full`."""

    is_full = True

    def write(self, *arguments: Any) -> int:
        if self.is_full:
            raise OSError(28, "No space left on device")
        return super().write(*arguments)


def test_what_could_not_be_written_before_is_written_at_the_end(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(open_folder=FullFolder)
    process.keep(prompt(1, 600))
    process.collect(3)
    assert process.tiers.disk_bytes == 0 and files(tmp_path) == []
    monkeypatch.setattr(FullFolder, "is_full", False)
    start()
    assert len(files(tmp_path)) == 3


def test_a_full_disk_is_said_once_and_memory_goes_on(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    process = start(open_folder=FullFolder)
    with caplog.at_level(logging.WARNING):
        process.keep(prompt(1, 600))
        process.keep(prompt(2, 600))
        process.collect(6)
    assert [record.getMessage() for record in caplog.records] == [
        "prefixes cannot be written: [Errno 28] No space left on device"
    ]
    assert process.bring(prompt(1, 600)).tolist() == prompt(1, 600)[:599].tolist()


def test_without_memory_prefixes_are_written_and_read_back(start: Start) -> None:
    tokens = prompt(1, 900)
    process = start(memory_bytes=0)
    process.keep(tokens)
    process.collect(4)
    assert process.tiers.memory_bytes == 0
    assert process.bring(tokens).tolist() == tokens[:899].tolist()
    assert process.tiers.memory_bytes == 0


def test_what_was_fetched_stays_until_it_is_used_whatever_else_is_kept_meanwhile(start: Start) -> None:
    tokens = prompt(1, 900)
    start().keep(tokens)
    process = start(memory_bytes=0)
    found = process.tiers.find(EVERYBODY, tokens)
    assert not process.tiers.fetch(found)
    for seed in range(2, 6):
        process.keep(prompt(seed, 256))
        process.collect(2)
    assert process.tiers.fetch(found)
    process.keep(prompt(9, 600), PRIVATE)
    assert contents(found).tolist() == tokens[:899].tolist()
    process.tiers.use(found)
    process.collect(0)
    assert process.tiers.memory_bytes == 0


def test_what_nobody_asks_for_again_after_it_was_fetched_leaves_memory(start: Start) -> None:
    tokens = prompt(1, 900)
    start().keep(tokens)
    process = start(memory_bytes=0)
    assert not process.tiers.fetch(process.tiers.find(EVERYBODY, tokens))
    process.collect(4)
    assert process.tiers.memory_bytes == 900 * BYTES_PER_TOKEN
    for _ in range(1000):
        process.tiers.collect()
    assert process.tiers.memory_bytes == 0
    assert process.bring(tokens).tolist() == tokens[:899].tolist()


def test_memory_that_is_asked_back_is_given_back(start: Start) -> None:
    process = start()
    process.keep(prompt(1, 600))
    process.collect(3)
    process.keep(prompt(2, 600), PRIVATE)
    process.tiers.clear_memory()
    process.tiers.check_integrity()
    assert process.tiers.memory_bytes == 0
    assert process.num_found(prompt(1, 600)) == 599
    assert process.num_found(prompt(2, 600), PRIVATE) == 0
