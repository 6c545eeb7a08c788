"""Which graphs of a Whisper repository belong together."""

import pytest

from models.formats.speech_graphs import SpeechGraphs, are_speech_graphs, choose_speech_graphs, speech_reason

KINDS = ("encoder_model", "decoder_model_merged", "decoder_model", "decoder_with_past_model")
LABELS = ("", "_quantized", "_q4", "_fp16", "_int8", "_uint8", "_q4f16", "_bnb4")
ALL = [f"onnx/{kind}{label}.onnx" for kind in KINDS for label in LABELS]


def test_of_many_weight_types_those_of_8_bits_are_taken_and_one_decoder_for_both_uses() -> None:
    graphs = choose_speech_graphs(ALL)
    assert graphs == SpeechGraphs("onnx/encoder_model_quantized.onnx", "onnx/decoder_model_merged_quantized.onnx")
    reason = speech_reason(graphs, ALL)
    assert reason is not None and "of 32 graphs: 8-bit weights come first" in reason


@pytest.mark.parametrize(
    ("wanted", "encoder", "decoder"),
    [
        ("q4", "encoder_model_q4", "decoder_model_merged_q4"),
        ("fp16", "encoder_model_fp16", "decoder_model_merged_fp16"),
        ("onnx/decoder_model_merged_int8.onnx", "encoder_model_int8", "decoder_model_merged_int8"),
        ("encoder_model.onnx", "encoder_model", "decoder_model_merged"),
    ],
)
def test_a_weight_type_can_be_named(wanted: str, encoder: str, decoder: str) -> None:
    assert choose_speech_graphs(ALL, wanted) == SpeechGraphs(f"onnx/{encoder}.onnx", f"onnx/{decoder}.onnx")


def test_signed_weights_are_the_last_choice_of_an_encoder_and_not_of_a_decoder() -> None:
    names = [f"{kind}{label}.onnx" for kind in KINDS[:2] for label in ("", "_int8")]
    assert choose_speech_graphs(names) == SpeechGraphs("encoder_model.onnx", "decoder_model_merged_int8.onnx")


def test_two_decoders_do_as_well_but_only_both() -> None:
    names = ["encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx"]
    assert choose_speech_graphs(names) == SpeechGraphs(*names)
    assert choose_speech_graphs(names[:2]) is None
    assert choose_speech_graphs(names[1:]) is None


@pytest.mark.parametrize(
    ("names", "is_speech"),
    [
        (ALL, True),
        (["onnx/model.onnx"], False),
        (["onnx/decoder_model_merged.onnx"], False),
        (["onnx/encoder_model.onnx"], False),
        (["encoder_model.onnx", "decoder_model_merged.onnx", "vision_encoder.onnx", "embed_tokens.onnx"], False),
    ],
)
def test_other_models_are_not_taken_for_speech(names: list[str], is_speech: bool) -> None:
    assert are_speech_graphs(names) is is_speech
