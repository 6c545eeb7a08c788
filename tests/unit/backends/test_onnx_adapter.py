"""What is ONNX's own behind the seam: its grid, its rows, its threads of calls."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from appliance.backends.base import Batch, LoadedModel, LogitsArray, Run, TokenArray
from appliance.backends.loading import open_backend
from appliance.errors import BackendError
from tests.onnx_graph_writer import Weights
from tests.onnx_shapes import write_decoder
from tests.unit.backends.plans import plan_of
from tests.unit.backends.twin import random_tokens


def load(folder: Path, weights: Weights) -> LoadedModel:
    graph = write_decoder(folder / "model", weights=weights)
    plan = plan_of("onnx", "onnx", str(graph), compiled_path=str(folder / "compiled"), kv_capacity_tokens=1000)
    plan = replace(plan, context_tokens=600, max_step_tokens=512)
    return open_backend("onnx").load(plan, lambda ratio: None)


@pytest.fixture(scope="module", params=["f32", "int4"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadedModel]:
    with closing(load(tmp_path_factory.mktemp("onnx"), request.param)) as loaded:
        yield loaded


def prefill(model: LoadedModel, tokens: TokenArray, cuts: list[int]) -> LogitsArray:
    """Return the row after the tokens, cut at these positions."""
    for part in np.split(tokens, cuts):
        row = model.step(Batch((Run(0, model.length_tokens(0), part, 1),))).logits[0][0].copy()
    model.truncate(0, 0)
    return row


@pytest.mark.parametrize("num_tokens", [66, 128, 200, 320, 400])
def test_a_prompt_gives_the_same_bits_however_it_is_cut_on_the_grid(model: LoadedModel, num_tokens: int) -> None:
    assert model.traits.is_batch_invariant
    grid = model.traits.chunk_multiple_tokens
    tokens = random_tokens(num_tokens)
    whole = prefill(model, tokens, [])
    every = list(range(grid, num_tokens, grid))
    for cuts in (every, every[:1], every[-1:]):
        np.testing.assert_array_equal(prefill(model, tokens, cuts), whole)


def test_runs_without_logits_share_a_step_with_runs_that_want_many(model: LoadedModel) -> None:
    num_rows = model.traits.max_step_outputs
    tokens = random_tokens(num_rows)
    alone = model.step(Batch((Run(0, 0, tokens, num_rows),))).logits[0].copy()
    model.truncate(0, 0)
    silent = tuple(Run(sequence, 0, random_tokens(1 + sequence % 2), 0) for sequence in range(1, 6))
    rows = model.step(Batch((*silent, Run(0, 0, tokens, num_rows)))).logits
    np.testing.assert_array_equal(rows[-1], alone)
    for sequence in range(6):
        model.truncate(sequence, 0)


def test_sequences_keep_their_logits_while_rows_change_places(model: LoadedModel) -> None:
    """The steps choose ever other sequences, so that rows move; each must go on as if it had been alone."""
    chance = np.random.default_rng(5)
    texts = {sequence: random_tokens(40, chance) for sequence in range(12)}
    for sequence, tokens in texts.items():
        model.step(Batch((Run(sequence, 0, tokens[: 3 + sequence], 0),)))
    seen: dict[tuple[int, int], LogitsArray] = {}
    for _ in range(60):
        chosen = [int(s) for s in chance.choice(12, chance.integers(1, 7), replace=False)]
        runs = [(s, model.length_tokens(s)) for s in chosen if model.length_tokens(s) < 40]
        if runs:
            rows = model.step(Batch(tuple(Run(s, at, texts[s][at : at + 1], 1) for s, at in runs))).logits
            seen |= {key: row[0].copy() for key, row in zip(runs, rows, strict=True)}
    for sequence in texts:
        model.truncate(sequence, 0)
    for sequence, tokens in texts.items():
        model.step(Batch((Run(0, 0, tokens[: 3 + sequence], 0),)))
        for at in sorted(at for number, at in seen if number == sequence):
            row = model.step(Batch((Run(0, at, tokens[at : at + 1], 1),))).logits[0][0]
            np.testing.assert_array_equal(row, seen[sequence, at])
        model.truncate(0, 0)


def test_a_graph_that_the_library_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    graph = write_decoder(tmp_path / "model")
    plan = plan_of("onnx", "onnx", str(graph), compiled_path=str(tmp_path / "compiled"))
    data = tmp_path / "model" / "model.onnx.data"
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(BackendError, match=r"graph\.onnx cannot be loaded: .*(external|bounds|size)"):
        open_backend("onnx").load(plan, lambda ratio: None)


def test_loading_tells_its_progress(tmp_path: Path) -> None:
    graph = write_decoder(tmp_path / "model")
    ratios: list[float] = []
    plan = plan_of("onnx", "onnx", str(graph), compiled_path=str(tmp_path / "compiled"))
    open_backend("onnx").load(plan, ratios.append).close()
    assert (ratios, ratios[-1]) == (sorted(ratios), 1.0)
