"""Whisper in ONNX hears and writes what the reference implementation does, from any files that hubs have."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from appliance.backends.onnx.speech import OnnxListener
from appliance.backends.onnx.speech_features import LogMel, mel_filters
from appliance.backends.tokenizer_folder import FolderTokenizer
from appliance.core.plan import Artefact
from appliance.engine.hearing.decode import Manner, WindowReader, text_of
from appliance.errors import BackendError
from models.formats.folder_config import config_folder
from tests.fakes import load_plan
from tests.tiny_whisper import END, ID, Whisper, speech_like, write_whisper

REFERENCE: dict[str, Any] = json.loads((Path(__file__).parents[2] / "data/whisper/reference.json").read_bytes())
DURATION_S, CONTEXT = 12.0, (72, 105, 33)
FRAMES = (*range(0, 1200, 149), *range(1196, 1206), 2999)
SOUND = speech_like(DURATION_S)


def open_listener(graph: Path) -> OnnxListener:
    artefact = Artefact(format="onnx", path=str(graph), digest="sha256:x")
    return OnnxListener(msgspec.structs.replace(load_plan(), artefact=artefact), lambda ratio: None)


def reader_of(listener: OnnxListener, graph: Path) -> WindowReader:
    return WindowReader(listener, text_of(FolderTokenizer(config_folder(graph)).token_bytes, END))


def hear(listener: OnnxListener) -> object:
    features = listener.features()
    features.add(SOUND)
    features.finish()
    return listener.listen(features.window(0))


def greedy(reader: WindowReader, heard: object, task: str = "transcribe", context: Sequence[int] = ()) -> list[int]:
    """Return the text of the first attempt alone: a temperature of 1 is the last that is tried."""
    beginning = (ID["<|startoftranscript|>"], ID["<|de|>"], ID[f"<|{task}|>"])
    passes = reader.passes(heard, context, Manner(beginning, 0.0, np.random.default_rng(0)))
    said: list[list[int]] = []
    reader.to_text = lambda tokens: (said.append(list(tokens)), "")[1]
    for _ in passes:
        if said:
            return said[0]
    return said[0]


@pytest.mark.parametrize("num_bins", [80, 128])
@pytest.mark.parametrize("piece", [len(SOUND), 4_321, 150])
def test_features_are_the_reference_extractors_however_the_sound_comes(num_bins: int, piece: int) -> None:
    features = LogMel(num_bins, 3000)
    for start in range(0, len(SOUND), piece):
        features.add(SOUND[start : start + piece])
    assert features.finish() == round(100 * DURATION_S)
    expected = np.array(REFERENCE["features"][str(num_bins)])
    assert np.abs(features.window(0).T[[*FRAMES]] - expected).max() < 1e-4


def test_a_window_within_a_recording_is_cut_from_it_and_filled_up_with_silence() -> None:
    features = LogMel(80, 3000)
    features.add(SOUND)
    num_frames = features.finish()
    whole, later = features.window(0), features.window(700)
    assert np.array_equal(later[:, : num_frames - 700], whole[:, 700:num_frames])
    assert np.unique(later[:, num_frames - 695 :]).size == 1


def test_each_filter_has_the_same_area() -> None:
    widths_hz = 8000 / 200
    assert np.allclose(mel_filters(80)[30:].sum(axis=1) * widths_hz, 1, atol=0.15)


@pytest.mark.parametrize("decoder", ["merged", "two"])
@pytest.mark.parametrize("expected", REFERENCE["texts"], ids=lambda each: f"seed {each['seed']}")
def test_tokens_are_those_of_the_reference(decoder: Any, expected: dict[str, Any], tmp_path: Path) -> None:
    graph = write_whisper(tmp_path, Whisper(seed=expected["seed"]), decoder=decoder, data=decoder == "two")
    listener = open_listener(graph)
    heard = hear(listener)
    assert reader_of(listener, graph).language(heard) == expected["language"]
    assert greedy(reader_of(listener, graph), heard) == expected["transcribe"]
    assert greedy(reader_of(listener, graph), heard, "translate") == expected["translate"]
    assert greedy(reader_of(listener, graph), heard, context=CONTEXT) == expected["context"]
    listener.close()


def test_how_likely_nobody_speaks_is_read_where_the_text_starts(tmp_path: Path) -> None:
    graph = write_whisper(tmp_path, Whisper(seed=3))
    listener = open_listener(graph)
    reader, beginning = reader_of(listener, graph), (ID["<|startoftranscript|>"], ID["<|en|>"], ID["<|transcribe|>"])
    passes = reader.passes(hear(listener), (), Manner(beginning, 1.0, np.random.default_rng(0)))
    try:
        while True:
            next(passes)
    except StopIteration as end:
        assert end.value.no_speech_ratio == pytest.approx(REFERENCE["texts"][3]["no_speech"], rel=1e-3)


def test_a_reading_can_be_followed_in_two_ways(tmp_path: Path) -> None:
    listener = open_listener(write_whisper(tmp_path, Whisper()))
    start = listener.read(hear(listener), np.array([ID["<|startoftranscript|>"]], np.int32))
    first, second, again = listener.follow(start, 72), listener.follow(start, 105), listener.follow(start, 72)
    assert np.array_equal(first.logits, again.logits)
    assert not np.array_equal(first.logits, second.logits)


def test_weights_are_found_behind_the_links_of_a_store(tmp_path: Path) -> None:
    graph = write_whisper(tmp_path / "model", Whisper(), data=True)
    (tmp_path / "blobs").mkdir()
    for number, path in enumerate(sorted(graph.parent.iterdir())):
        blob = path.rename(tmp_path / "blobs" / f"sha256-{number}")
        path.symlink_to(blob)
    assert open_listener(graph).traits.task == "transcribe"


def test_a_decoder_without_its_encoder_is_refused(tmp_path: Path) -> None:
    graph = write_whisper(tmp_path, Whisper())
    (graph.parent / "encoder_model.onnx").unlink()
    with pytest.raises(BackendError, match="lacks the encoder"):
        open_listener(graph)


def test_a_decoder_that_remembers_nothing_is_refused(tmp_path: Path) -> None:
    graph = write_whisper(tmp_path, Whisper(), decoder="two")
    (graph.parent / "decoder_with_past_model.onnx").write_bytes(graph.read_bytes())
    with pytest.raises(BackendError, match="remembers nothing"):
        open_listener(graph)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    graph = write_whisper(tmp_path, Whisper(), data=True)
    (graph.parent / "encoder_model.onnx_data").unlink()
    with pytest.raises(BackendError, match=r"incomplete: .*encoder_model\.onnx_data is missing"):
        open_listener(graph)
