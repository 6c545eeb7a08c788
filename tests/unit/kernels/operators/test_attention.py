"""Rotary embedding and paged attention: a few sequences in scattered pages, against the plain formulas."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from kernels.instruction_sets import InstructionSet
from kernels.operators import attention, rope
from kernels.paging import (
    KV_TYPES,
    PAGE,
    KvType,
    Pages,
    Tokens,
    key_shape,
    key_tokens,
    read_tokens,
    token_bytes,
    value_shape,
    value_tokens,
    write_tokens,
)
from kernels.shape import Heads
from kernels.tiling import STRETCH, Tiling, by_stretches, tile_tokens, tiling_of, whole_tiles
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

    def pages(self, kv_type: KvType) -> tuple[Pages, Pages]:
        """Full of random numbers, some of which are much greater than the rest, as those of keys are."""
        heads = self.heads
        keys, values = (
            np.zeros((NUM_PAGES, heads.num_kv, each.rows, each.columns), each.dtype)
            for each in (key_shape(heads, kv_type), value_shape(heads, kv_type))
        )
        content = self.random(2, NUM_PAGES * PAGE, heads.num_kv, heads.size)
        content[0, :, :, 5] *= 6
        write_tokens(key_tokens(keys), np.arange(NUM_PAGES * PAGE, dtype=np.int32), content[0])
        write_tokens(value_tokens(values), np.arange(NUM_PAGES * PAGE, dtype=np.int32), content[1])
        return keys, values

    def tiling(self, num_threads: int = 1) -> Tiling:
        """As if every sequence began in this step."""
        lengths = np.array(LENGTHS, np.int32)
        return tiling_of(lengths, np.zeros_like(lengths), self.heads, num_threads)

    def singly(self) -> Tiling:
        """Every token for itself."""
        ones = np.ones(len(self.positions), np.int32)
        return tiling_of(ones, self.positions, self.heads)


ON_EACH_KV_TYPE = pytest.mark.parametrize("kv_type", KV_TYPES)


@on_each_instruction_set
@ON_EACH_KV_TYPE
@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("num_tokens", [3, sum(LENGTHS)])
def test_heads_are_turned_and_go_to_their_pages(
    instruction_set: InstructionSet, kv_type: KvType, heads: Heads, num_tokens: int
) -> None:
    scene = Scene(heads)
    positions, slots = scene.positions[:num_tokens], scene.slots[:num_tokens].astype(np.int32)
    frequencies = 10_000.0 ** (-np.arange(0, heads.size, 2) / heads.size)
    inputs = (
        scene.random(num_tokens, heads.width),
        scene.random(heads.width),
        1 + 0.1 * scene.random(2, heads.size),
        turns(heads.size, frequencies, 512),
    )
    inputs[0][:2] *= [[0], [3e-6]]  # nothing, and what needs a smaller scale than halves have
    keys, values = scene.pages(kv_type)
    expected_keys, expected_values = keys.copy(), values.copy()
    expected = rope.reference(heads, *inputs, positions, slots, expected_keys, expected_values)
    queries = np.empty((num_tokens, heads.attended), np.float32)
    compiled(rope.rope_append(heads, kv_type), instruction_set)(*inputs, positions, slots, keys, values, queries)
    np.testing.assert_allclose(queries, expected, rtol=1e-5, atol=1e-6)
    assert_near(key_tokens(keys), key_tokens(expected_keys))
    np.testing.assert_array_equal(values, expected_values)


def assert_near(got: Tokens, expected: Tokens) -> None:
    """A number that stood between two halves, or two codes, may have gone to either."""
    np.testing.assert_allclose(got.scales.astype(np.float32), expected.scales, rtol=2e-3)
    if got.numbers.dtype == np.int8:
        difference = got.numbers.astype(int) - expected.numbers
        assert np.abs(difference).max() <= 1
        assert np.count_nonzero(difference) <= 0.002 * difference.size
    else:
        np.testing.assert_allclose(got.numbers.astype(np.float32), expected.numbers, rtol=2e-3, atol=1e-6)


@on_each_instruction_set
@ON_EACH_KV_TYPE
@pytest.mark.parametrize("heads", HEADS)
def test_every_token_sees_what_came_before_it(instruction_set: InstructionSet, kv_type: KvType, heads: Heads) -> None:
    scene = Scene(heads)
    queries, pages = scene.random(sum(LENGTHS), heads.attended) * 0.2, scene.pages(kv_type)
    y = np.empty_like(queries)
    where = (scene.tables, scene.sequences, scene.positions)
    compiled(attention.paged_attention(heads, instruction_set, kv_type), instruction_set)(
        queries, *pages, *where, *scene.tiling(num_threads=2), y
    )
    np.testing.assert_allclose(y, attention.reference(heads, queries, *pages, *where), rtol=0, atol=1e-5)


@on_each_instruction_set
@ON_EACH_KV_TYPE
@pytest.mark.parametrize("heads", HEADS)
def test_a_token_alone_gives_the_bits_that_it_gives_in_a_tile(
    instruction_set: InstructionSet, kv_type: KvType, heads: Heads
) -> None:
    scene = Scene(heads)
    queries, pages = scene.random(sum(LENGTHS), heads.attended), scene.pages(kv_type)
    where = (scene.tables, scene.sequences, scene.positions)
    kernel = compiled(attention.paged_attention(heads, instruction_set, kv_type), instruction_set)
    tiled, alone = np.empty_like(queries), np.empty_like(queries)
    kernel(queries, *pages, *where, *scene.tiling(), tiled)
    kernel(queries, *pages, *where, *scene.singly(), alone)
    np.testing.assert_array_equal(tiled, alone)


@on_each_instruction_set
@ON_EACH_KV_TYPE
@pytest.mark.parametrize("heads", HEADS)
def test_stretches_that_are_handed_out_give_the_bits_of_a_tile_that_reads_them_all(
    instruction_set: InstructionSet, kv_type: KvType, heads: Heads
) -> None:
    scene = Scene(heads)
    tokens = [*range(290, 300), 304, 432, 561]
    queries, pages = scene.random(len(tokens), heads.attended), scene.pages(kv_type)
    where = (scene.tables, scene.sequences[tokens], scene.positions[tokens])
    kernel = compiled(attention.paged_attention(heads, instruction_set, kv_type), instruction_set)
    runs, starts = np.array([10, 1, 1, 1], np.int32), np.array([290, 4, 127, 128], np.int32)
    whole, shared = tiling_of(runs, starts, heads), by_stretches(whole_tiles(runs, starts, tile_tokens(heads)))
    assert len(shared.folds) == len(whole.tiles) < len(shared.tiles)
    results = []
    for tiling in (whole, shared):
        results.append(np.empty_like(queries))
        kernel(queries, *pages, *where, *tiling, results[-1])
    np.testing.assert_array_equal(*results)


HEADS_OF_QWEN = Heads(14, 2, 64)


def test_tiles_cover_every_token_once_and_threads_get_equal_shares_of_long_prompts() -> None:
    tiles, folds = tiling_of(np.array([11, 1, 4], np.int32), np.zeros(3, np.int32), HEADS_OF_QWEN, num_threads=2)
    covered = [token for first, is_full, *_ in tiles.tolist() for token in range(first, first + (4 if is_full else 1))]
    assert sorted(covered) == list(range(16))
    assert tiles[: len(tiles) // 2 + 1, 0].tolist() == [0, 8, 10, 12]
    assert {tuple(row) for row in tiles[:, 2:].tolist()} == {(0, 1)}
    assert not folds.size


@pytest.mark.parametrize(
    ("runs", "starts", "num_threads", "is_shared"),
    [
        pytest.param([1], [4000], 1, False, id="one thread"),
        pytest.param([1], [4000], 2, False, id="a head for each thread"),
        pytest.param([1], [4000], 3, True, id="a thread without a head"),
        pytest.param([1], [300], 8, False, id="too short to gain"),
        pytest.param([1, 1, 1, 1], [8000, 5, 5, 5], 8, True, id="one long, three short"),
        pytest.param([1, 1, 1, 1], [8000] * 4, 8, False, id="a head of a sequence for each thread"),
        pytest.param([256], [8000], 8, False, id="a prompt"),
    ],
)
def test_the_context_is_handed_out_where_threads_would_wait(
    runs: list[int], starts: list[int], num_threads: int, is_shared: bool
) -> None:
    tiles, folds = tiling_of(np.array(runs, np.int32), np.array(starts, np.int32), HEADS_OF_QWEN, num_threads)
    assert bool(folds.size) == is_shared
    if is_shared:
        handed = {tuple(each) for each in tiles.tolist()}
        for token, is_full, first, count in folds.tolist():
            rows = [(token, is_full, stretch, stretch + 1) for stretch in range(count)]
            assert [tuple(row) for row in tiles[first : first + count].tolist()] == rows
            handed -= set(rows)
        assert not handed
        assert sum(folds[:, 3]) == sum(-(-(start + 1) // STRETCH) for start in starts)


@ON_EACH_KV_TYPE
@pytest.mark.parametrize("heads", HEADS)
def test_tokens_take_the_bytes_that_are_told_and_are_read_as_they_were_written(kv_type: KvType, heads: Heads) -> None:
    scene = Scene(heads)
    keys, values = scene.pages(kv_type)
    assert keys.nbytes + values.nbytes == NUM_PAGES * PAGE * token_bytes(heads, kv_type)
    table, slots = scene.tables[0], scene.slots[: LENGTHS[0]]
    for tokens in (key_tokens(keys), value_tokens(values)):
        content = scene.random(LENGTHS[0], heads.num_kv, heads.size)
        write_tokens(tokens, slots, content)
        got = read_tokens(tokens, table, LENGTHS[0])
        np.testing.assert_allclose(got, content, rtol=0, atol=2e-3 if kv_type == "f16" else 2e-2)
        untouched = [page for page in range(NUM_PAGES) if page not in table]
        write_tokens(tokens, slots[1:], content[1:])
        np.testing.assert_array_equal(read_tokens(tokens, table, LENGTHS[0]), got)
        assert tokens.numbers[untouched].any()
