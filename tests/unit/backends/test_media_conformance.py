"""Every backend that reads media keeps the promises of the seam for them, too; echo, the reference, first."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from msgspec.structs import replace

from appliance.backends.base import Batch, KVCacheFull, LoadedModel, LogitsArray, MediaSpan, ReadsMedia, Run
from appliance.core.plan import LoadPlan
from appliance.core.request import Media, MediaKind
from appliance.errors import BackendError, InvalidRequest
from tests.media import Piece, keys_of, medium, pieces_of, read, run_of_piece
from tests.tiny_media import Projector, png, wav, write_model, write_projector
from tests.unit.backends.conformance import continue_elsewhere, fill_up, load
from tests.unit.backends.plans import plan_of
from tests.unit.backends.twin import run_of


@dataclass(frozen=True)
class Way:
    """A model, and the kind of media that it reads."""

    plan: LoadPlan
    kind: MediaKind


class ConformanceOfMedia:
    tolerance: ClassVar[float]

    @pytest.fixture(scope="class")
    @classmethod
    def way(cls) -> Way:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def loaded(cls, way: Way) -> Iterator[LoadedModel]:
        with closing(load(way.plan)) as model:
            yield model

    @pytest.fixture
    def model(self, loaded: LoadedModel) -> LoadedModel:
        for sequence in range(loaded.traits.max_sequences):
            loaded.truncate(sequence, 0)
        return loaded

    def assert_agree(self, row: LogitsArray, expected: LogitsArray) -> None:
        assert np.abs(row - expected).max() <= self.tolerance

    def test_the_traits_say_what_is_read(self, model: LoadedModel, way: Way) -> None:
        assert model.traits.media == {way.kind}
        assert isinstance(model, ReadsMedia)

    def test_other_media_give_other_rows_and_the_same_the_same(self, model: LoadedModel, way: Way) -> None:
        first, second, again = (read(model, n, pieces_of(model, sample(way, seed))) for n, seed in enumerate((1, 2, 1)))
        self.assert_agree(again, first)
        assert np.abs(second - first).max() > 5 * self.tolerance

    def test_media_have_keys_of_their_own_which_are_no_tokens(self, model: LoadedModel, way: Way) -> None:
        first, second = ([*map(keys_of, spans(pieces_of(model, sample(way, seed))))] for seed in (1, 2))
        assert all((keys < 0).all() for keys in (*first, *second))
        assert not np.intersect1d(np.concatenate(first), np.concatenate(second)).size

    def test_media_are_read_beside_decodes_as_alone(self, model: LoadedModel, way: Way) -> None:
        pieces = pieces_of(model, sample(way, 1), sample(way, 2))
        expected = read(model, 0, pieces)
        tokens = range(60, 60 + len(pieces))
        model.step(Batch((run_of(model, 1, 5, 0),)))
        alone = [model.step(Batch((token_run(model, 1, token),))).logits[0][0].copy() for token in tokens]
        model.truncate(1, 5)
        decoded = []
        for token, piece in zip(tokens, pieces, strict=True):
            runs = (token_run(model, 1, token), run_of_piece(model, 2, piece, piece is pieces[-1]))
            rows = model.step(Batch(runs)).logits
            decoded.append(rows[0][0].copy())
        self.assert_agree(rows[1][0], expected)
        for row, other in zip(decoded, alone, strict=True):
            self.assert_agree(row, other)

    def test_a_prompt_may_end_with_a_medium(self, model: LoadedModel, way: Way) -> None:
        pieces = pieces_of(model, sample(way, 1))
        last = max(index for index, piece in enumerate(pieces) if isinstance(piece, MediaSpan))
        row = read(model, 0, pieces[: last + 1])
        text = (run_of(model, 1, 4, 1), run_of(model, 3, 2, 1))
        for piece in pieces[:last]:
            model.step(Batch((run_of_piece(model, 2, piece, 0),)))
        rows = model.step(Batch((text[0], run_of_piece(model, 2, pieces[last], 1), text[1]))).logits
        self.assert_agree(rows[1][0], row)

    def test_a_sequence_is_cut_copied_and_brought_back_where_media_end(self, model: LoadedModel, way: Way) -> None:
        pieces = pieces_of(model, sample(way, 1))
        expected = read(model, 0, pieces)
        ends = borders(pieces)
        token = np.array([80], np.int32)
        after = model.step(Batch((Run(0, ends[-1], token, 1),))).logits[0][0].copy()
        model.truncate(0, ends[-1])
        blocks = [model.snapshot(0, start, end) for start, end in pairwise((0, *ends))]
        for index, end in enumerate(ends[:-1]):
            model.copy(0, 1, end)
            self.assert_agree(read(model, 1, pieces[index + 1 :]), expected)
            model.truncate(1, end)
            self.assert_agree(read(model, 1, pieces[index + 1 :]), expected)
            model.truncate(1, 0)
            for block in blocks[: index + 1]:
                model.restore(1, block)
            self.assert_agree(read(model, 1, pieces[index + 1 :]), expected)
            model.truncate(1, 0)
        for block in blocks:
            model.restore(1, block)
        self.assert_agree(model.step(Batch((Run(1, ends[-1], token, 1),))).logits[0][0], after)

    def test_blocks_with_media_continue_in_another_process(self, model: LoadedModel, way: Way) -> None:
        pieces = pieces_of(model, sample(way, 1))
        read(model, 0, pieces)
        *_, middle, end = borders(pieces)
        blocks = [model.snapshot(0, 0, middle), model.snapshot(0, middle, end)]
        after = model.step(Batch((token_run(model, 0, 77),))).logits[0][0]
        self.assert_agree(continue_elsewhere(way.plan, blocks, 77), after)

    def test_a_medium_that_does_not_fit_changes_nothing(self, model: LoadedModel, way: Way) -> None:
        first, *others = pieces_of(model, sample(way, 1))
        model.step(Batch((run_of_piece(model, 0, first, 0),)))
        span = spans(others)[0]
        fill_up(model, 1)
        model.truncate(1, model.length_tokens(1) - 2)
        lengths = [model.length_tokens(s) for s in range(model.traits.max_sequences)]
        with pytest.raises(KVCacheFull):
            model.step(Batch((token_run(model, 1, 65), run_of_piece(model, 0, span, 0))))
        assert [model.length_tokens(s) for s in range(model.traits.max_sequences)] == lengths
        for sequence in range(1, model.traits.max_sequences):
            model.truncate(sequence, 0)
        expected = read(model, 0, others)
        self.assert_agree(read(model, 1, [first, *others]), expected)

    def test_a_part_of_a_span_is_refused(self, model: LoadedModel, way: Way) -> None:
        span = spans(pieces_of(model, sample(way, 1)))[0]
        with pytest.raises(BackendError):
            model.step(Batch((Run(0, 0, span.keys[:-1], 0, span),)))

    def test_media_that_cannot_be_read_are_a_fault_of_the_request(self, model: LoadedModel, way: Way) -> None:
        assert isinstance(model, ReadsMedia)
        other: MediaKind = "audio" if way.kind == "image" else "image"
        for bad in (medium(b"broken", way.kind), sample(Way(way.plan, other), 1)):
            with pytest.raises(InvalidRequest):
                model.read_medium(bad)


def sample(way: Way, seed: int) -> Media:
    return medium(png(seed) if way.kind == "image" else wav(seed), way.kind)


def spans(pieces: Sequence[Piece]) -> list[MediaSpan]:
    return [piece for piece in pieces if isinstance(piece, MediaSpan)]


def borders(pieces: Sequence[Piece]) -> list[int]:
    return np.cumsum([len(keys_of(piece)) for piece in pieces]).tolist()


def token_run(model: LoadedModel, sequence: int, token: int) -> Run:
    return Run(sequence, model.length_tokens(sequence), np.array([token], np.int32), 1)


class TestEcho(ConformanceOfMedia):
    tolerance: ClassVar[float] = 0.0

    @pytest.fixture(scope="class")
    @classmethod
    def way(cls) -> Way:
        return Way(plan_of("echo", "echo", "echo:?sees=1"), "image")


class LlamaCpp(ConformanceOfMedia):
    projector: ClassVar[Projector]
    kind: ClassVar[MediaKind] = "image"
    tolerance: ClassVar[float] = 0.02
    capacity: ClassVar[int] = 256

    @pytest.fixture(scope="class")
    @classmethod
    def way(cls, tmp_path_factory: pytest.TempPathFactory) -> Way:
        folder = tmp_path_factory.mktemp(cls.projector)
        write_model(folder / "model.gguf", cls.projector)
        write_projector(folder / "projector.gguf", cls.projector)
        plan = plan_of("llama_cpp", "gguf", str(folder / "model.gguf"), kv_capacity_tokens=cls.capacity)
        artefact = replace(plan.artefact, projector_path=str(folder / "projector.gguf"))
        return Way(replace(plan, artefact=artefact, context_tokens=cls.capacity // 2), cls.kind)


class TestLlamaCppPlain(LlamaCpp):
    projector: ClassVar[Projector] = "mlp"


class TestLlamaCppWithFewerPositions(LlamaCpp):
    projector: ClassVar[Projector] = "qwen2vl_merger"


class TestLlamaCppInBothDirections(LlamaCpp):
    projector: ClassVar[Projector] = "gemma3"


class TestLlamaCppHearing(LlamaCpp):
    projector: ClassVar[Projector] = "qwen2a"
    kind: ClassVar[MediaKind] = "audio"
    capacity: ClassVar[int] = 6144
