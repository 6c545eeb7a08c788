"""A repository of Whisper is fetched with all its graphs of one kind; no other repository is taken for one."""

import pytest

from models.sources.base import RemoteFile, SourceError
from models.sources.choice import Choice, choose_files

# Source: the layout of the repositories `onnx-community/whisper-*`
CONFIG = ("config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json")
BESIDE = ("README.md", ".gitattributes", "merges.txt", "vocab.json", "normalizer.json", "added_tokens.json")
GRAPHS = tuple(
    f"onnx/{kind}{label}.onnx"
    for kind in ("encoder_model", "decoder_model", "decoder_model_merged", "decoder_with_past_model")
    for label in ("", "_bnb4", "_fp16", "_int8", "_q4", "_q4f16", "_quantized", "_uint8")
)


def choose(*names: str, pick: str | None = None, repository: str = "onnx-community/whisper-tiny") -> Choice:
    remote = [RemoteFile(name=name, url=f"https://hub.example/{name}", size_bytes=1) for name in names]
    return choose_files(remote, repository, pick)


def names(choice: Choice) -> list[str]:
    return [file.name for file in choice.files]


def test_both_graphs_and_their_configuration_are_fetched_the_decoder_first() -> None:
    choice = choose(*BESIDE, *CONFIG, *GRAPHS)
    assert names(choice)[:2] == ["onnx/decoder_model_merged_quantized.onnx", "onnx/encoder_model_quantized.onnx"]
    assert set(names(choice)[2:]) == set(CONFIG)
    assert (choice.stem, choice.first_name) == ("whisper-tiny", "onnx/decoder_model_merged_quantized.onnx")
    assert choice.reason is not None and "8-bit" in choice.reason


@pytest.mark.parametrize(("pick", "label"), [("q4", "_q4"), ("onnx/decoder_model_merged_uint8.onnx", "_uint8")])
def test_a_weight_type_can_be_asked_for(pick: str, label: str) -> None:
    taken = names(choose(*CONFIG, *GRAPHS, pick=pick))
    assert taken[:2] == [f"onnx/decoder_model_merged{label}.onnx", f"onnx/encoder_model{label}.onnx"]


def test_weights_in_files_of_their_own_come_along() -> None:
    graphs = ("onnx/encoder_model.onnx", "onnx/decoder_model_merged.onnx")
    data = ("onnx/encoder_model.onnx_data", "onnx/encoder_model.onnx_data_1")
    assert set(names(choose(*CONFIG, *graphs, *data))) == {*CONFIG, *graphs, *data}


def test_an_unknown_weight_type_is_said() -> None:
    with pytest.raises(SourceError, match="has no 'q3'"):
        choose(*CONFIG, *GRAPHS, pick="q3")


def test_a_decoder_that_writes_text_is_chosen_as_before() -> None:
    files = ("onnx/model_q4.onnx", "onnx/model.onnx", "config.json", "preprocessor_config.json", "tokenizer.json")
    assert names(choose(*files)) == ["onnx/model_q4.onnx", "config.json", "tokenizer.json"]
