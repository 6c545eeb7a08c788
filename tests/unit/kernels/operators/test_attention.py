"""Rotary embedding and paged attention: a few sequences in scattered pages, against the plain formulas."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from kernels.instruction_sets import InstructionSet
from kernels.operators import attention, rope
from kernels.paging import PAGE
from kernels.shape import Heads
from kernels.tiling import tile_tokens, tiles_of
from kernels.turning import turns
from tests.unit.kernels.compiled import compiled, on_each_instruction_set

LENGTHS = (300, 5, 128, 129, 16)
NUM_PAGES = 64
HEADS = [
    pytest.param(Heads(14, 2, 64, has_bias=True), id="qwen2"),
    pytest.param(Heads(8, 8, 64, norm_epsilon=1e-6), id="qwen3-without-groups"),
    pytest.param(Heads(8, 2, 128), id="llama"),
]


@dataclass
class Scene:
    """Sequences of `LENGTHS` tokens, all of them in one step, in pages that lie in no order."""

    heads: Heads
    tables: np.ndarray = field(init=False)
    positions: np.ndarray = field(init=False)
    sequences: np.ndarray = field(init=False)
    slots: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        pages = iter(np.random.default_rng(0).permutation(NUM_PAGES))
        self.tables = np.zeros((len(LENGTHS), -(-max(LENGTHS) // PAGE)), np.int32)
        for table, length in zip(self.tables, LENGTHS, strict=True):
            for place in range(-(-length // PAGE)):
                table[place] = next(pages)
        self.positions = np.concatenate([np.arange(length, dtype=np.int32) for length in LENGTHS])
        self.sequences = np.repeat(np.arange(len(LENGTHS), dtype=np.int32), LENGTHS)
        self.slots = self.tables[self.sequences, self.positions // PAGE] * PAGE + self.positions % PAGE

    def random(self, *shape: int) -> np.ndarray:
        return np.random.default_rng(shape[-1]).standard_normal(shape).astype(np.float32)

    def pages(self) -> tuple[np.ndarray, np.ndarray]:
        num_kv, size = self.heads.num_kv, self.heads.size
        keys = self.random(NUM_PAGES, num_kv, size, PAGE).astype(np.float16)
        return keys, self.random(NUM_PAGES, num_kv, PAGE, size).astype(np.float16)


@on_each_instruction_set
@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("num_tokens", [3, sum(LENGTHS)])
def test_heads_are_turned_and_go_to_their_pages(instruction_set: InstructionSet, heads: Heads, num_tokens: int) -> None:
    scene = Scene(heads)
    positions, slots = scene.positions[:num_tokens], scene.slots[:num_tokens].astype(np.int32)
    frequencies = 10_000.0 ** (-np.arange(0, heads.size, 2) / heads.size)
    inputs = (
        scene.random(num_tokens, heads.width),
        scene.random(heads.width),
        1 + 0.1 * scene.random(2, heads.size),
        turns(heads.size, frequencies, 512),
    )
    keys, values = scene.pages()
    expected_keys, expected_values = keys.copy(), values.copy()
    expected = rope.reference(heads, *inputs, positions, slots, expected_keys, expected_values)
    queries = np.empty((num_tokens, heads.attended), np.float32)
    compiled(rope.rope_append(heads), instruction_set)(*inputs, positions, slots, keys, values, queries)
    np.testing.assert_allclose(queries, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(keys.astype(np.float32), expected_keys, rtol=2e-3, atol=1e-6)
    np.testing.assert_allclose(values.astype(np.float32), expected_values, rtol=1e-3, atol=1e-6)


@on_each_instruction_set
@pytest.mark.parametrize("heads", HEADS)
def test_every_token_sees_what_came_before_it(instruction_set: InstructionSet, heads: Heads) -> None:
    scene = Scene(heads)
    queries, (keys, values) = scene.random(sum(LENGTHS), heads.attended) * 0.2, scene.pages()
    y = np.empty_like(queries)
    tiles = tiles_of(np.array(LENGTHS, np.int32), tile_tokens(heads), num_threads=2)
    where = (scene.tables, scene.sequences, scene.positions)
    compiled(attention.paged_attention(heads, instruction_set), instruction_set)(
        queries, keys, values, *where, tiles, y
    )
    expected = attention.reference(heads, queries, keys, values, *where)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5)


@on_each_instruction_set
@pytest.mark.parametrize("heads", HEADS)
def test_a_token_alone_gives_the_bits_that_it_gives_in_a_tile(instruction_set: InstructionSet, heads: Heads) -> None:
    scene = Scene(heads)
    queries, (keys, values) = scene.random(sum(LENGTHS), heads.attended), scene.pages()
    where = (scene.tables, scene.sequences, scene.positions)
    kernel = compiled(attention.paged_attention(heads, instruction_set), instruction_set)
    tiled, alone = np.empty_like(queries), np.empty_like(queries)
    kernel(queries, keys, values, *where, tiles_of(np.array(LENGTHS, np.int32), tile_tokens(heads)), tiled)
    kernel(queries, keys, values, *where, tiles_of(np.ones(len(queries), np.int32), 1 << 30), alone)
    np.testing.assert_array_equal(tiled, alone)


def test_tiles_cover_every_token_once_and_threads_get_equal_shares_of_long_prompts() -> None:
    tiles = tiles_of(np.array([11, 1, 4], np.int32), 4, num_threads=2)
    covered = [token for first, is_full in tiles.tolist() for token in range(first, first + (4 if is_full else 1))]
    assert sorted(covered) == list(range(16))
    assert tiles[: len(tiles) // 2 + 1, 0].tolist() == [0, 8, 10, 12]
