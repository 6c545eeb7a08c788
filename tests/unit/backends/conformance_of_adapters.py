"""The promises of models to which LoRA adapters are applied: one set a step, and each sequence as if it were alone."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from appliance.backends.base import AppliesAdapters, Batch, LoadedModel, LogitsArray, Run, TokenArray
from appliance.core.traits import AdapterId
from appliance.errors import BackendError
from tests.unit.backends.conformance import Conformance
from tests.unit.backends.twin import random_tokens


class ConformanceOfAdapters(Conformance):
    """One more test for each promise of a model that applies adapters. A subclass names two files."""

    @pytest.fixture(scope="class")
    @classmethod
    def adapter_paths(cls) -> tuple[str, str]:
        raise NotImplementedError

    @pytest.fixture
    def adapters(self, model: LoadedModel, adapter_paths: tuple[str, str]) -> Iterator[tuple[AdapterId, AdapterId]]:
        assert isinstance(model, AppliesAdapters)
        first, second = map(model.load_adapter, adapter_paths)
        yield first, second
        for adapter in (first, second):
            model.unload_adapter(adapter)

    def test_each_set_of_adapters_gives_rows_of_its_own_whatever_ran_between(
        self, model: LoadedModel, adapters: tuple[AdapterId, AdapterId]
    ) -> None:
        sets = sets_of(*adapters)
        tokens = random_tokens(12)
        alone = []
        for chosen in sets:
            alone.append([row_with(model, chosen, 0, part) for part in (tokens[:9], *ones(tokens))])
            model.truncate(0, 0)
        for left, right in combinations(alone, 2):
            assert np.abs(left[-1] - right[-1]).max() > 2 * self.tolerance
        mixed: list[list[LogitsArray]] = [[row_with(model, each, n, tokens[:9])] for n, each in enumerate(sets)]
        for token in ones(tokens):
            for number, chosen in enumerate(sets):
                mixed[number].append(row_with(model, chosen, number, token))
        for rows, expected in zip(mixed, alone, strict=True):
            for row, wanted in zip(rows, expected, strict=True):
                self.assert_agree(model, row, wanted)

    def test_the_order_within_a_set_changes_nothing(
        self, model: LoadedModel, adapters: tuple[AdapterId, AdapterId]
    ) -> None:
        first, second = ((adapters[0], 1.0), (adapters[1], 0.5))
        tokens = random_tokens(6)
        row = row_with(model, (first, second), 0, tokens)
        self.assert_agree(model, row_with(model, (second, first), 1, tokens), row)

    def test_a_snapshot_goes_on_with_the_set_that_it_was_computed_with(
        self, model: LoadedModel, adapters: tuple[AdapterId, AdapterId]
    ) -> None:
        chosen, tokens = ((adapters[0], 1.0),), random_tokens(20)
        row_with(model, chosen, 0, tokens[:-1])
        snapshot = model.snapshot(0, 0, len(tokens) - 1)
        row = row_with(model, chosen, 0, tokens[-1:])
        model.restore(1, snapshot)
        self.assert_agree(model, row_with(model, chosen, 1, tokens[-1:]), row)

    def test_an_adapter_that_was_unloaded_leaves_the_model_as_it_was_and_may_come_back(
        self, model: LoadedModel, adapter_paths: tuple[str, str]
    ) -> None:
        assert isinstance(model, AppliesAdapters)
        tokens = random_tokens(8)
        rows = []
        for _ in range(2):
            plain = row_with(model, (), 0, tokens)
            adapter = model.load_adapter(adapter_paths[0])
            rows.append((plain, row_with(model, ((adapter, 1.0),), 1, tokens)))
            model.unload_adapter(adapter)
            model.truncate(0, 0)
            model.truncate(1, 0)
        for before, after in zip(*rows, strict=True):
            self.assert_agree(model, after, before)

    def test_what_is_no_adapter_and_what_is_not_loaded_is_refused(
        self, model: LoadedModel, adapters: tuple[AdapterId, AdapterId], tmp_path: Path
    ) -> None:
        assert isinstance(model, AppliesAdapters)
        with pytest.raises(BackendError, match=r"none\.gguf"):
            model.load_adapter(str(tmp_path / "none.gguf"))
        too_many = tuple((adapters[0], 1.0) for _ in range(model.traits.max_adapters_per_step + 1))
        for chosen in (too_many, ((AdapterId(1000), 1.0),)):
            with pytest.raises(BackendError, match="broke the rules"):
                row_with(model, chosen, 0, random_tokens(3))
        assert model.length_tokens(0) == 0


AdapterSet = tuple[tuple[AdapterId, float], ...]


def sets_of(first: AdapterId, second: AdapterId) -> tuple[AdapterSet, ...]:
    """Return no adapter, each alone, one more weakly, and both."""
    return ((), ((first, 1.0),), ((second, 1.0),), ((first, 0.5),), ((first, 1.0), (second, 1.0)))


def row_with(model: LoadedModel, adapters: AdapterSet, sequence: int, tokens: TokenArray) -> LogitsArray:
    """Return the row after more tokens of a sequence."""
    run = Run(sequence, model.length_tokens(sequence), tokens, 1)
    return model.step(Batch((run,), adapters)).logits[0][0].copy()


def ones(tokens: TokenArray) -> list[TokenArray]:
    """Return the last three tokens, one by one."""
    return [tokens[index : index + 1] for index in range(len(tokens) - 3, len(tokens))]
