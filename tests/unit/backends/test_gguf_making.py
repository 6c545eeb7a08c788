"""GGUF files quantized and measured: the embedded model's own network, from its floats."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import models.default
from appliance.backends import convert_job, evaluate_job, quantize_job, speed
from appliance.backends.gguf_source import find_source
from appliance.backends.job_arguments import ConvertArguments, EvaluateArguments, QuantizeArguments
from appliance.backends.llama_cpp import gate
from appliance.backends.llama_cpp import quantize_job as gguf
from appliance.backends.llama_cpp.quantization import method_in_words
from appliance.backends.llama_cpp.room import room_to_compare, room_to_convert
from appliance.backends.loss import LossTooLarge
from appliance.backends.made_model import MadeModel, MadeModels
from appliance.errors import BackendError, Conflict, DoesNotFit, InvalidRequest, ModelNotFound
from models.embedded import EMBEDDED_NAME
from models.finding.gguf_files import find_gguf
from models.finding.quality_file import quality_file_of
from models.formats.gguf import TensorInfo, read_gguf
from models.manifest import ModelDetails
from models.store.store import ModelStore
from tests.bert import WORDS, random_bert, write_bert_gguf
from tests.fakes import FakeReport
from tests.tiny_decoders import TinyDecoder, write_tiny_decoder

GUIDE = Path(models.default.__file__).with_name("guide")


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure each speed for as short as is possible; a single thread waits for no other test."""
    monkeypatch.setattr(speed, "_LEAST_TIME_S", 0.0)
    monkeypatch.setattr(speed, "_MOST_TRIES", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})


@pytest.fixture
def report(tmp_path: Path) -> Any:
    return FakeReport(tmp_path / "home")


@pytest.fixture(scope="module")
def floats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The guide's weights in F16."""
    report: Any = FakeReport(tmp_path_factory.mktemp("floats"))
    made = convert_job.convert(ConvertArguments(model=str(GUIDE), to="gguf"), report)
    assert isinstance(made, MadeModel)
    yield Path(made.folder)


def quantize(floats: Path, report: Any, *types: str, **more: Any) -> MadeModels:
    made = quantize_job.quantize(QuantizeArguments(model=str(floats), to=types, **more), report)
    assert isinstance(made, MadeModels)
    return made


def test_the_guides_folder_becomes_the_guide(floats: Path) -> None:
    """The exporter of the embedded model and the converter were written apart; they agree in every number."""
    ours, shipped = read_gguf(floats), read_gguf(GUIDE.with_name("guide.gguf"))
    assert {tensor.name: tensor.shape for tensor in ours.tensors} == {
        tensor.name: tensor.shape for tensor in shipped.tensors
    }
    keys = ("tokenizer.ggml.pre", "tokenizer.ggml.eos_token_id", "tokenizer.chat_template", "llama.rope.freq_base")
    assert {key: ours.metadata[key] for key in keys} == {key: shipped.metadata[key] for key in keys}


def test_a_type_that_loses_little_is_kept_with_its_figures(floats: Path, report: Any) -> None:
    made = quantize(floats, report, "Q8_0")

    (model,) = made.made
    found = find_gguf(Path(model.folder))
    assert (model.name, found.details.quantization) == ("guide-q8_0", "Q8_0")
    assert found.quality is not None and found.quality.kl_mean is not None
    assert 0 < found.quality.kl_mean < 0.02 and 0.9 < (found.quality.top1_agreement_ratio or 0) < 1
    assert found.quality.method == "Q8_0 (50 Q8_0)"
    source, row = made.comparison.rows
    assert (source.type, source.quality, row.type, row.model) == ("F16", None, "Q8_0", "guide-q8_0")
    assert row.quality is not None and row.quality.loss_ratio == found.quality.loss_ratio
    assert min(each.prefill_tokens_per_s or 0 for each in made.comparison.rows) > 1
    assert min(each.decode_tokens_per_s or 0 for each in made.comparison.rows) > 1


def test_of_several_types_those_that_lose_little_are_kept(floats: Path, report: Any) -> None:
    made = quantize(floats, report, "Q8_0", "Q2_K", name="small")

    assert [model.name for model in made.made] == ["small-q8_0"]
    assert [(row.type, row.is_within, row.model) for row in made.comparison.rows[1:]] == [
        ("Q8_0", True, "small-q8_0"),
        ("Q2_K", False, None),
    ]
    left = {path.name for path in report.folder.rglob("*") if path.is_file()}
    assert left == {"original.logits", "small-q8_0.gguf", "small-q8_0.quality.json"}


def test_a_type_that_loses_much_is_not_kept(floats: Path, report: Any) -> None:
    with pytest.raises(LossTooLarge, match=r"worse than the original, 5.0% are allowed; try a larger type"):
        quantize(floats, report, "Q2_K")
    assert not list(report.folder.rglob("*.gguf"))


def test_when_none_of_several_is_kept_all_are_named(floats: Path, report: Any) -> None:
    with pytest.raises(LossTooLarge, match=r"none of Q2_K, Q3_K_S was kept: Q2_K loses .*%, Q3_K_S loses"):
        quantize(floats, report, "Q2_K", "Q3_K_S")


def test_any_loss_can_be_accepted(floats: Path, report: Any) -> None:
    (model,) = quantize(floats, report, "Q2_K", accept_loss=True, name="tiny").made

    assert model.name == "tiny"
    assert quality_file_of(Path(model.folder)).is_file()


def test_nothing_is_kept_of_a_comparison(floats: Path, report: Any) -> None:
    arguments = EvaluateArguments(model=str(floats), to=("Q6_K", "Q4_0", "F16"))

    comparison = evaluate_job.evaluate(arguments, report)

    assert [row.type for row in comparison.rows] == ["F16", "Q6_K", "Q4_0"]
    assert comparison.recommended == "Q6_K" or "slower" in comparison.reason
    assert not list(report.folder.rglob("*.gguf"))


def test_a_model_is_judged_by_the_texts_that_it_is_for(floats: Path, report: Any, tmp_path: Path) -> None:
    """The guide never learned prose, and does there as it pleases; of its own conversations it loses little."""
    question, answer = "<|im_start|>user\nlist the models<|im_end|>\n", "<|im_start|>assistant\n`appliance models list`"
    (tmp_path / "own.txt").write_text("\n---\n".join([question + answer + "<|im_end|>"] * 3))

    (model,) = quantize(floats, report, "Q5_K_M", texts=str(tmp_path / "own.txt")).made

    quality = find_gguf(Path(model.folder)).quality
    assert quality is not None and quality.loss_ratio < 0.05


@pytest.mark.parametrize(
    ("content", "says"), [(None, "cannot be read"), (b"\xff", "cannot be read"), (b"a", "too few")]
)
def test_texts_that_say_nothing_are_refused(
    content: bytes | None, says: str, floats: Path, report: Any, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "own.txt").write_bytes(content)
    with pytest.raises(InvalidRequest, match=says):
        quantize(floats, report, "Q8_0", texts=str(tmp_path / "own.txt"))


def some_texts(num_texts: int) -> list[str]:
    random = np.random.default_rng(1)
    return [" ".join(random.choice(WORDS[:12], 20)) for _ in range(num_texts)]


def test_an_encoder_is_judged_by_its_vectors(tmp_path: Path, report: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "sentences", lambda: some_texts(12))
    write_bert_gguf(tmp_path / "bert-f32.gguf", random_bert())

    made = quantize_job.quantize(
        QuantizeArguments(model=str(tmp_path / "bert-f32.gguf"), to=("Q8_0",), force=True), report
    )

    assert isinstance(made, MadeModels)
    row = made.comparison.rows[1]
    assert (made.made[0].name, row.decode_tokens_per_s) == ("bert-q8_0", None)
    assert row.quality is not None and 0.99 < (row.quality.cosine_mean or 0) < 1
    assert (row.prefill_tokens_per_s or 0) > 1


@pytest.mark.parametrize(
    ("num_labels", "num_texts", "more", "says"),
    [
        (1, 12, {}, "ranks texts cannot be compared"),
        (0, 12, {"texts": "/own"}, "texts is for models that write"),
        (0, 4, {}, "too few for the texts"),
    ],
)
def test_an_encoder_that_cannot_be_judged_is_refused(
    num_labels: int,
    num_texts: int,
    more: dict[str, Any],
    says: str,
    tmp_path: Path,
    report: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "sentences", lambda: some_texts(num_texts))
    write_bert_gguf(tmp_path / "bert.gguf", random_bert(num_labels=num_labels), pooling=4 if num_labels else 1)
    order = QuantizeArguments(model=str(tmp_path / "bert.gguf"), to=("Q8_0",), force=True, **more)

    with pytest.raises(InvalidRequest, match=says):
        quantize_job.quantize(order, report)


def test_a_model_in_the_store_is_quantized_by_its_name(floats: Path, report: Any) -> None:
    list(ModelStore(report.home).add(floats, "floats", False, 0.0))

    made = quantize_job.quantize(QuantizeArguments(model="floats", to=("Q8_0",)), report)

    assert isinstance(made, MadeModels) and made.made[0].name == "floats-q8_0"


def test_a_quantized_model_is_quantized_again_only_by_force(report: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"'guide' is Q8_0 already: .*--force"):
        quantize_job.quantize(QuantizeArguments(model=EMBEDDED_NAME, to=("Q6_K",)), report)

    made = quantize_job.quantize(QuantizeArguments(model=EMBEDDED_NAME, to=("Q6_K",), force=True), report)
    assert isinstance(made, MadeModels) and made.comparison.rows[0].type == "Q8_0"


def test_a_name_that_is_taken_is_refused_before_any_work(floats: Path, report: Any) -> None:
    list(ModelStore(report.home).add(floats, "guide-q8_0", False, 0.0))

    with pytest.raises(Conflict, match="guide-q8_0"):
        quantize(floats, report, "Q6_K", "Q8_0")
    assert report.told == []


@pytest.mark.parametrize(
    ("model", "more", "error", "says"),
    [
        ("nothing", {}, ModelNotFound, "no model is called 'nothing'"),
        ("/nowhere.gguf", {"to": ("Q8_0",)}, ModelNotFound, "does not exist"),
        (EMBEDDED_NAME, {"to": ("int8",)}, InvalidRequest, "is a GGUF file: GGUF has no type 'int8'"),
        (EMBEDDED_NAME, {"mixed": "outer"}, InvalidRequest, "is a GGUF file: mixed is for ONNX"),
        ("/folder", {"to": ("Q8_0",)}, InvalidRequest, "is no GGUF file: an ONNX model is made int4, int8"),
    ],
)
def test_an_order_that_does_not_suit_the_model_says_so(
    model: str, more: dict[str, Any], error: type[Exception], says: str, report: Any
) -> None:
    with pytest.raises(error, match=says):
        quantize_job.quantize(QuantizeArguments(model=model, **more), report)


def test_what_has_no_room_is_refused_with_both_numbers(floats: Path, report: Any) -> None:
    source = find_source(str(floats), report.home)
    huge = msgspec.structs.replace(source.details, weights_bytes=2**60)
    source = gguf.GgufSource(source.path, source.stem, huge, source.size_bytes)

    with pytest.raises(DoesNotFit, match=r"trying Q8_0 of 7 million parameters takes about .* of memory"):
        gguf.try_types(source, gguf.Trial(types=("Q8_0",), max_loss_ratio=0.05), report)


def test_the_room_holds_one_model_and_what_it_said() -> None:
    details = ModelDetails(num_parameters=10**9, weights_bytes=2 * 10**9, vocab_size=100_000)

    kept = room_to_compare(details, ("Q8_0", "Q4_0"), are_kept=True)
    measured = room_to_compare(details, ("Q8_0", "Q4_0"), are_kept=False)

    assert 2 * 10**9 < kept.memory_bytes < 2.6 * 10**9
    assert measured.disk_bytes >= 2048 * 100_000 * 4 + 10**9
    assert kept.disk_bytes > measured.disk_bytes + 10**9
    assert room_to_convert(10**10).memory_bytes < 2 * 10**9


def test_rows_that_do_not_divide_are_said(tmp_path: Path, report: Any) -> None:
    """Width 128 and 320: llama.cpp takes a type of smaller blocks for those matrices."""
    write_tiny_decoder(tmp_path / "odd.gguf", TinyDecoder("odd", "llama", matrices="F16"))
    target = tmp_path / "made.gguf"

    method = gguf.quantize_file(
        tmp_path / "odd.gguf", target, "Q4_K_M", num_threads=1, allows_quantized=False, progress=lambda done: None
    )

    types = {tensor.type for tensor in read_gguf(target).tensors if len(tensor.shape) > 1}
    assert "Q4_K" not in types
    assert "15 of 15 have rows that do not divide into 256 and became" in method


def test_a_method_without_odd_rows_only_counts() -> None:
    def matrix(name: str, kind: str) -> TensorInfo:
        return TensorInfo(name, (256, 512), kind, 0, 0)

    norms = TensorInfo("n", (256,), "F32", 0, 0)
    assert method_in_words("Q4_K_M", (matrix("a", "Q4_K"), matrix("b", "Q4_K"), matrix("c", "Q6_K"), norms)) == (
        "Q4_K_M (2 Q4_K, 1 Q6_K)"
    )
    assert method_in_words("Q8_0", (TensorInfo("a", (8, 96), "Q8_0", 0, 0),)) == "Q8_0 (1 Q8_0)"


def test_a_file_that_the_library_cannot_quantize_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF")

    with pytest.raises(BackendError, match=r"cannot quantize broken\.gguf to Q8_0"):
        gguf.quantize_file(
            *(tmp_path / "broken.gguf", tmp_path / "made.gguf", "Q8_0"),
            num_threads=1,
            allows_quantized=False,
            progress=lambda done: None,
        )
    assert not (tmp_path / "made.gguf").exists()


def test_a_folder_is_converted_and_quantized_in_one_go(report: Any) -> None:
    made = convert_job.convert(ConvertArguments(model=str(GUIDE), precision="q8_0", name="mine"), report)

    assert isinstance(made, MadeModels)
    assert (made.made[0].name, made.comparison.rows[1].type) == ("mine", "Q8_0")


def test_a_model_here_that_is_a_folder_is_converted_by_its_name(report: Any) -> None:
    list(ModelStore(report.home).add(GUIDE, "own/floats", False, 0.0))

    made = convert_job.convert(ConvertArguments(model="own/floats", to="gguf"), report)

    assert isinstance(made, MadeModel) and made.name == "floats-f16"
    assert read_gguf(Path(made.folder)).metadata["general.name"] == "floats"


@pytest.mark.parametrize(
    ("model", "error", "says"),
    [("nothing", ModelNotFound, "no model is called so"), (EMBEDDED_NAME, InvalidRequest, "'guide' is gguf; ")],
)
def test_only_folders_of_floats_are_converted(model: str, error: type[Exception], says: str, report: Any) -> None:
    with pytest.raises(error, match=says):
        convert_job.convert(ConvertArguments(model=model, to="gguf"), report)


def test_a_folder_whose_numbers_are_broken_is_not_kept(tmp_path: Path, report: Any) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for file in GUIDE.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    with (folder / "model.safetensors").open("r+b") as stream:
        stream.seek(-200_000, 2)
        stream.write(np.full(100_000, np.nan, np.float16).tobytes())

    with pytest.raises(BackendError, match="makes no numbers of a text"):
        convert_job.convert(ConvertArguments(model=str(folder), to="gguf"), report)
