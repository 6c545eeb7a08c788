"""Which projector belongs to a model, by the names of the files around it."""

import pytest

from models.sources.projector_choice import is_projector_name, projector_of


@pytest.mark.parametrize(
    ("model", "projector"),
    [
        ("Qwen2.5-VL-7B-Instruct-Q4_K_M.gguf", "mmproj-Qwen2.5-VL-7B-Instruct-f16.gguf"),
        ("google_gemma-3-4b-it-Q4_K_M.gguf", "mmproj-google_gemma-3-4b-it-bf16.gguf"),
        ("llava-v1.5-7b-Q4_K.gguf", "llava-v1.5-7b-mmproj-model-f16.gguf"),
        ("moondream2-text-model-f16.gguf", "moondream2-mmproj-f16.gguf"),
        ("ggml-org_Tiny-GGUF_Tiny-Q8_0.gguf", "ggml-org_Tiny-GGUF_mmproj-model-f16.gguf"),
        ("Big-Q4_K_M-00001-of-00003.gguf", "mmproj-Big-F16.gguf"),
    ],
)
def test_a_model_knows_its_projector_by_name_among_others(model: str, projector: str) -> None:
    others = ["Other-Q4_K_M.gguf", "mmproj-Other-F16.gguf", "README.md"]
    assert projector_of(model, [*others, projector, model]) == projector


def test_a_name_that_says_nothing_belongs_to_the_only_model() -> None:
    alone = ["a-Q4_K_M.gguf", "a-Q8_0.gguf", "imatrix.gguf", "mmproj-F16.gguf"]
    assert projector_of("a-Q8_0.gguf", alone) == "mmproj-F16.gguf"
    assert projector_of("a-Q8_0.gguf", [*alone, "b.gguf"]) is None


def test_one_of_another_name_is_taken_in_a_repository_alone() -> None:
    names = ["Llama-3.2-1B-Q4_K_M.gguf", "mmproj-ultravox-f16.gguf"]
    assert projector_of(names[0], names) is None
    assert projector_of(names[0], names, is_repository=True) == names[1]


def test_sizes_that_begin_alike_are_not_confused() -> None:
    assert projector_of("vl-72b-Q4_K_M.gguf", ["vl-7b-Q4_K_M.gguf", "mmproj-vl-7b-F16.gguf"]) is None


@pytest.mark.parametrize(
    ("model", "taken"),
    [
        ("a-Q4_K_M.gguf", "mmproj-a-Q8_0.gguf"),
        ("a-F16.gguf", "mmproj-a-F16.gguf"),
        ("a-BF16.gguf", "mmproj-a-F16.gguf"),
        ("a-F32.gguf", "mmproj-a-F32.gguf"),
    ],
)
def test_of_several_the_nearest_quantization_is_taken(model: str, taken: str) -> None:
    names = [f"mmproj-a-{label}.gguf" for label in ("BF16", "F32", "Q8_0", "F16")]
    assert projector_of(model, [model, *names]) == taken


def test_one_in_a_folder_beside_is_not_the_models() -> None:
    assert projector_of("Q4/a-Q4_0.gguf", ["other/mmproj-a-F16.gguf", "Q4/a-Q4_0.gguf"]) is None
    assert projector_of("Q4/a-Q4_0.gguf", ["mmproj-a-F16.gguf", "Q4/a-Q4_0.gguf"]) == "mmproj-a-F16.gguf"


def test_a_projector_has_none() -> None:
    assert is_projector_name("x/mmproj-F16.gguf") and not is_projector_name("mmproj.safetensors")
    assert projector_of("mmproj-a-F16.gguf", ["mmproj-a-F16.gguf", "mmproj-a-Q8_0.gguf"]) is None
