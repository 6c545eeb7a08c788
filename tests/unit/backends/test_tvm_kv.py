"""Keys and values of both types behind the seam: what they take, that they never mix, that threads change no bit."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import replace

from appliance.backends.base import Batch, LoadedModel, Run, Snapshot, SnapshotRejected
from appliance.backends.loading import open_backend
from appliance.backends.tvm.estimate import estimate
from appliance.backends.tvm.kv_pages import KvPages
from appliance.backends.tvm.limits import KV_BYTES_OF_32
from appliance.backends.tvm.pages import PageCopy
from appliance.core.plan import LoadPlan, StepLimits
from kernels.paging import KV_TYPES, PAGE, KvType
from kernels.shape import DecoderShape, Heads
from kernels.tiling import tiling_of
from models.manifest import ModelDetails
from tests.shapes import SHAPES
from tests.unit.backends.plans import compiled_plan

CONTEXT_TOKENS = 1000
HEADS = Heads(4, 2, 64)
SHAPE = DecoderShape(256, 704, HEADS, 2048, 1e-6, ((8, 8, 8, 8),) * 3, 8)

on_each_type = pytest.mark.parametrize("kv_type", KV_TYPES)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> LoadPlan:
    plan = compiled_plan(tmp_path_factory, "Q8_0", kv_capacity_tokens=4096)
    return replace(plan, context_tokens=2048, max_step_tokens=512, threads_decode=2, threads_prefill=2)


def load(plan: LoadPlan, kv_type: KvType) -> LoadedModel:
    return open_backend("tvm").load(replace(plan, kv_type=kv_type), lambda ratio: None)


def tokens_of(count: int) -> npt.NDArray[np.int32]:
    return np.random.default_rng(count).integers(0, 200, count).astype(np.int32)


def read(model: LoadedModel, sequence: int, tokens: npt.NDArray[np.int32]) -> None:
    for start in range(0, len(tokens), 512):
        model.step(Batch((Run(sequence, start, tokens[start : start + 512], 0),)))


@on_each_type
def test_no_bit_depends_on_how_many_threads_share_a_context(plan: LoadPlan, kv_type: KvType) -> None:
    runs = np.ones(2, np.int32), np.array([CONTEXT_TOKENS, 300], np.int32)
    is_shared = {n: bool(tiling_of(*runs, HEADS, n).folds.size) for n in (1, 2, 3, 8)}
    assert is_shared == {1: False, 2: False, 3: False, 8: True}
    batch = Batch(tuple(Run(sequence, int(start), tokens_of(1), 1) for sequence, start in enumerate(runs[1])))
    rows = []
    with closing(load(plan, kv_type)) as model:
        for sequence, start in enumerate(runs[1].tolist()):
            read(model, sequence, tokens_of(CONTEXT_TOKENS)[:start])
        for num_threads in is_shared:
            model.set_threads(num_threads, num_threads)
            rows.append(np.concatenate([row.copy() for row in model.step(batch).logits]))
            for sequence, start in enumerate(runs[1].tolist()):
                model.truncate(sequence, start)
    for row in rows[1:]:
        np.testing.assert_array_equal(row, rows[0])


def test_one_compiled_model_serves_both_types_and_a_snapshot_of_one_is_no_snapshot_of_the_other(
    plan: LoadPlan,
) -> None:
    tokens = tokens_of(40)
    snapshots: dict[KvType, Snapshot] = {}
    for kv_type in KV_TYPES:
        with closing(load(plan, kv_type)) as model:
            read(model, 0, tokens)
            for other in snapshots.values():
                with pytest.raises(SnapshotRejected, match=f"this model reads .* {kv_type}"):
                    model.restore(1, other)
            snapshots[kv_type] = model.snapshot(0, 0, 40)
    assert len(list(Path(plan.artefact.compiled_path).iterdir())) == 1
    sizes = {kv_type: snapshot.parts[0].nbytes for kv_type, snapshot in snapshots.items()}
    assert sizes["int8"] == sizes["f16"] * 34 // 64


@on_each_type
def test_the_daemon_expects_the_bytes_that_a_token_takes(plan: LoadPlan, kv_type: KvType) -> None:
    assert tuple(KV_BYTES_OF_32) == KV_TYPES
    sizes = SHAPES["tiny"]
    details = ModelDetails(total_kv_heads=sizes.num_layers * sizes.num_kv_heads, key_length=64, value_length=64)
    with closing(load(plan, kv_type)) as model:
        expected = estimate(details, StepLimits(max_sequences=1, max_step_sequences=1, max_step_tokens=1), kv_type)
        assert model.traits.kv_bytes_per_token == expected.kv_bytes_per_token


@pytest.fixture(params=KV_TYPES)
def pages(request: pytest.FixtureRequest) -> Iterator[KvPages]:
    pages = KvPages(SHAPE, 5, request.param)
    random = np.random.default_rng(0)
    for array in pages.arrays:
        array[:] = random.integers(-100, 100, array.shape)
    yield pages


def test_what_is_read_of_pages_can_be_written_to_others(pages: KvPages) -> None:
    start, end = PAGE - 3, 2 * PAGE + 5
    content = pages.read([3, 0, 4], start, end)
    assert content.nbytes == pages.size_bytes(end - start)
    before = [array.copy() for array in pages.arrays]
    pages.write([3, 1, 2], start, end, content)
    assert bytes(pages.read([3, 1, 2], start, end)) == bytes(content)
    for array, old in zip(pages.arrays, before, strict=True):
        np.testing.assert_array_equal(array[[0, 3, 4]], old[[0, 3, 4]])
        np.testing.assert_array_equal(array[1], old[0])
        assert (array[2] != old[2]).any()


def test_a_copied_page_has_everything_of_its_tokens(pages: KvPages) -> None:
    pages.copy([PageCopy(4, 2)])
    assert bytes(pages.read([2], 0, PAGE)) == bytes(pages.read([4], 0, PAGE))
    assert bytes(pages.read([2], 0, PAGE)) != bytes(pages.read([3], 0, PAGE))
