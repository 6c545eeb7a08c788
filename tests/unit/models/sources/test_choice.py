"""Which files of a repository make a model that runs here, and why these."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sources.base import RemoteFile, SourceError
from models.sources.choice import Choice, choose_files
from models.sources.quantization_labels import label_of

MIB = 2**20


def remote(name: str, size_bytes: int | None = MIB) -> RemoteFile:
    return RemoteFile(name=name, url=f"https://hub.example/{name}", size_bytes=size_bytes)


def choose(*names: str, pick: str | None = None, repository: str = "acme/Tiny-GGUF") -> Choice:
    return choose_files([remote(name) for name in names], repository, pick)


def names(choice: Choice) -> list[str]:
    return [file.name for file in choice.files]


MANY = ("Tiny-BF16.gguf", "Tiny-Q8_0.gguf", "Tiny-Q4_K_M.gguf", "Tiny-Q2_K.gguf", "Tiny-IQ4_XS.gguf", "README.md")


def test_of_many_quantizations_the_one_most_people_take_comes_first() -> None:
    choice = choose(*MANY)
    assert names(choice) == ["Tiny-Q4_K_M.gguf"]
    assert choice.stem == "Tiny-Q4_K_M"
    assert choice.reason is not None and choice.reason.startswith("Q4_K_M of 5 files: ")


@pytest.mark.parametrize(
    ("left", "taken"),
    [
        (("Q4_0", "Q8_0", "Q2_K"), "Q4_0"),
        (("Q5_K_M", "Q8_0", "F16"), "Q5_K_M"),
        (("Q8_0", "BF16"), "Q8_0"),
        (("F32", "F16"), "F16"),
        (("MXFP4", "F16"), "MXFP4"),
        (("Q3_K_M", "F16"), "Q3_K_M"),
    ],
)
def test_without_it_what_is_nearest_to_it_is_taken(left: tuple[str, ...], taken: str) -> None:
    assert names(choose(*(f"Tiny-{label}.gguf" for label in left))) == [f"Tiny-{taken}.gguf"]


@pytest.mark.parametrize("pick", ["Q8_0", "q8_0", "Tiny-Q8_0.gguf", "tiny-q8_0.gguf"])
def test_a_quantization_is_picked_by_its_name_or_its_file(pick: str) -> None:
    choice = choose(*MANY, pick=pick)
    assert names(choice) == ["Tiny-Q8_0.gguf"]
    assert choice.reason is None


def test_a_file_in_a_folder_is_picked_by_either_name_and_lies_beside_the_others_here() -> None:
    listing = ("Q8_0/Tiny.gguf", "Q4_0/Tiny.gguf")
    for pick in ("Q8_0/Tiny.gguf", "Q8_0"):
        choice = choose(*listing, pick=pick)
        assert names(choice) == ["Tiny.gguf"]
        assert choice.first_name == "Q8_0/Tiny.gguf"
    with pytest.raises(SourceError, match="several files"):
        choose(*listing, pick="Tiny.gguf")


def test_of_two_names_that_differ_in_case_the_one_that_was_written_is_meant() -> None:
    assert names(choose("T-Q8_0.gguf", "t-q8_0.gguf", pick="t-q8_0.gguf")) == ["t-q8_0.gguf"]


def test_memory_decides_where_it_is_short() -> None:
    files = [remote("T-Q8_0.gguf", 800 * MIB), remote("T-Q4_K_M.gguf", 500 * MIB), remote("T-Q2_K.gguf", 300 * MIB)]
    tight = choose_files(files, "a/T", None, 400 * MIB)
    assert names(tight) == ["T-Q2_K.gguf"] and tight.reason is not None and "room for" in tight.reason
    assert names(choose_files(files, "a/T", None, 10_000 * MIB)) == ["T-Q4_K_M.gguf"]
    hopeless = choose_files(files, "a/T", None, MIB)
    assert names(hopeless) == ["T-Q2_K.gguf"] and hopeless.reason is not None and "larger than" in hopeless.reason
    assert names(choose_files(files, "a/T", "Q8_0", MIB)) == ["T-Q8_0.gguf"]  # who names one gets it


def test_all_parts_of_a_split_file_belong_together() -> None:
    parts = [f"T-Q4_K_M-{number:05}-of-00003.gguf" for number in (1, 2, 3)]
    for pick in (None, "Q4_K_M", parts[1]):
        choice = choose("T-Q8_0.gguf", *reversed(parts), pick=pick)
        assert names(choice) == parts
        assert choice.stem == "T-Q4_K_M"
    with pytest.raises(SourceError, match="3 parts, and 2 are there"):
        choose(*parts[1:])
    assert names(choose("T-Q8_0.gguf", parts[0], pick="Q8_0")) == ["T-Q8_0.gguf"]  # another one's parts may be missing


def test_a_projector_and_an_importance_matrix_are_no_models() -> None:
    listing = ("mmproj-F16.gguf", "mmproj-model-f16.gguf", "imatrix.gguf", "T-imatrix.gguf", "T-Q4_K_M-imatrix.gguf")
    assert names(choose(*listing))[0] == "T-Q4_K_M-imatrix.gguf"
    with pytest.raises(SourceError, match="no model in a format that runs here"):
        choose("mmproj-F16.gguf")


def test_a_projector_comes_with_its_model_and_last() -> None:
    listing = ("mmproj-BF16.gguf", "mmproj-F16.gguf", "T-Q8_0.gguf", "T-Q4_K_M.gguf")
    chosen = choose(*listing)
    assert names(chosen) == ["T-Q4_K_M.gguf", "mmproj-F16.gguf"]
    assert chosen.reason is not None and chosen.reason.endswith(
        "; with mmproj-F16.gguf, through which it reads pictures or sound"
    )
    assert names(choose("mmproj-Q8_0.gguf", "T-Q8_0.gguf", pick="Q8_0")) == ["T-Q8_0.gguf", "mmproj-Q8_0.gguf"]
    assert names(
        choose(
            "mmproj-F16.gguf", "Q4/T-00001-of-00002.gguf", "Q4/T-00002-of-00002.gguf", pick="Q4/T-00001-of-00002.gguf"
        )
    ) == ["T-00001-of-00002.gguf", "T-00002-of-00002.gguf", "mmproj-F16.gguf"]


def test_two_models_in_one_repository_are_not_guessed_between() -> None:
    with pytest.raises(SourceError, match=r"name one behind ':'; it has A-Q4_K_M\.gguf, B-Q4_K_M\.gguf"):
        choose("A-Q4_K_M.gguf", "B-Q4_K_M.gguf", "A-Q8_0.gguf")


def test_what_is_not_there_is_answered_with_what_is() -> None:
    with pytest.raises(SourceError, match=r"no 'Q5_K_M'; it has Tiny-BF16\.gguf, Tiny-Q8_0\.gguf"):
        choose(*MANY, pick="Q5_K_M")
    listing = [f"Tiny-{number}.gguf" for number in range(50)] + ["Tiny-Q6_K.gguf"]
    with pytest.raises(SourceError, match=r"the nearest of 51 are Tiny-Q6_K\.gguf"):
        choose(*listing, pick="Tiny-Q6_L.gguf")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Qwen3-0.6B-Q4_K_M.gguf", "Q4_K_M"),
        ("qwen3-q4_k_m.gguf", "Q4_K_M"),
        ("model.IQ3_XXS.gguf", "IQ3_XXS"),
        ("Model-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("model-fp16.gguf", "F16"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("Q8_0/model-00001-of-00002.gguf", "Q8_0"),
        ("tinyllama-1.1b.gguf", None),
        ("FAQ4_0x.gguf", None),
    ],
)
def test_a_quantization_is_told_by_the_name(name: str, label: str | None) -> None:
    assert label_of(name) == label


@pytest.mark.parametrize(
    ("name", "stem"), [("ggml-model-Q4_0.gguf", "Tiny-Q4_0"), ("model.gguf", "Tiny"), ("X.gguf", "X")]
)
def test_a_name_that_says_nothing_gives_way_to_the_repositorys(name: str, stem: str) -> None:
    assert choose(name).stem == stem


WEB = ("config.json", "tokenizer.json", "tokenizer_config.json", "LICENSE", "README.md", "generation_config.json")


def test_of_the_graphs_for_the_web_one_for_a_processor_is_taken_with_its_weights() -> None:
    graphs = ("onnx/model.onnx", "onnx/model.onnx_data", "onnx/model_fp16.onnx", "onnx/model_q4f16.onnx")
    q4 = ("onnx/model_q4.onnx", "onnx/model_q4.onnx_data", "onnx/model_q4.onnx_data_1")
    choice = choose(*WEB, *graphs, *q4, repository="acme/Tiny-ONNX")
    assert names(choice)[:3] == list(q4)
    assert set(names(choice)[3:]) == set(WEB) - {"README.md"}
    assert choice.stem == "Tiny"
    assert choice.reason is not None and choice.reason.startswith("onnx/model_q4.onnx of 4 graphs")


@pytest.mark.parametrize("pick", ["onnx/model.onnx", "model.onnx"])
def test_a_graph_is_picked_by_its_name(pick: str) -> None:
    for data in ("onnx/model.onnx_data", "onnx/model.onnx.data"):
        choice = choose(*WEB, "onnx/model.onnx", data, "onnx/model_q4.onnx", pick=pick)
        assert names(choice)[:2] == ["onnx/model.onnx", data]


def test_a_graph_is_picked_by_the_type_of_its_weights() -> None:
    assert names(choose(*WEB, "onnx/model.onnx", "onnx/model_int8.onnx", pick="int8"))[0] == "onnx/model_int8.onnx"


GENAI = ("genai_config.json", "model.onnx", "model.onnx.data", "tokenizer.json", "chat_template.jinja", "run.py")


def test_of_the_folders_of_onnxruntime_genai_the_processors_is_taken_whole() -> None:
    folders = ("cuda/cuda-int4", "cpu_and_mobile/cpu-int4-block-32")
    listing = [f"{folder}/{name}" for folder in folders for name in GENAI]
    choice = choose(*listing, "README.md", "LICENSE", repository="acme/Tiny-onnx")
    assert names(choice) == [
        "model.onnx",
        "genai_config.json",
        "model.onnx.data",
        "tokenizer.json",
        "chat_template.jinja",
        "LICENSE",
    ]
    assert choice.first_name == "cpu_and_mobile/cpu-int4-block-32/model.onnx"
    again = choose(*listing, "README.md", "LICENSE", pick=choice.first_name)
    assert names(again) == names(choice)
    assert choose(*listing, pick="cuda-int4").first_name == "cuda/cuda-int4/model.onnx"
    with pytest.raises(SourceError, match="for other devices only"):
        choose(*(f"cuda/{name}" for name in GENAI))


def test_a_graph_without_a_tokenizer_reads_no_text() -> None:
    with pytest.raises(SourceError, match=r"no tokenizer\.json"):
        choose("onnx/model.onnx", "config.json")


SHARDS = tuple(f"model-{number:05}-of-00002.safetensors" for number in (1, 2))
TRANSFORMERS = (*WEB, *SHARDS, "model.safetensors.index.json", "merges.txt", "vocab.json", "USE_POLICY.md")


def test_safetensors_come_with_all_parts_index_tokenizer_and_licence() -> None:
    choice = choose(
        *TRANSFORMERS, "pytorch_model.bin", "consolidated.safetensors", "train.py", repository="acme/Tiny-2B"
    )
    assert names(choice)[:3] == [*SHARDS, "model.safetensors.index.json"]
    assert set(names(choice)) == set(TRANSFORMERS) - {"README.md"}
    assert choice.stem == "Tiny-2B"


def test_a_sentence_encoder_keeps_its_modules() -> None:
    modules = ("modules.json", "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors")
    assert set(modules) < set(names(choose("config.json", "tokenizer.json", "model.safetensors", *modules)))


def test_an_adapter_is_a_model_of_two_files() -> None:
    choice = choose("adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "optimizer.pt")
    assert names(choice) == ["adapter_model.safetensors", "adapter_config.json", "tokenizer.json"]


def test_weights_without_a_description_are_refused() -> None:
    with pytest.raises(SourceError, match=r"no config\.json"):
        choose("model.safetensors", "tokenizer.json")


def test_formats_are_preferred_in_the_order_in_which_they_run_and_can_be_picked() -> None:
    listing = (*WEB, "model.safetensors", "onnx/model.onnx", "T-Q4_K_M.gguf")
    assert names(choose(*listing)) == ["T-Q4_K_M.gguf"]
    assert names(choose(*listing[:-1]))[0] == "onnx/model.onnx"
    assert names(choose(*listing, pick="onnx"))[0] == "onnx/model.onnx"
    assert names(choose(*listing, pick="safetensors"))[0] == "model.safetensors"


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "a/m.PTH", "m.ckpt", "m.pkl", "flax_model.msgpack", "tf_model.h5"]
)
def test_pickles_are_refused_with_the_reason_and_what_to_look_for(name: str) -> None:
    for pick in (None, name):
        with pytest.raises(SourceError, match=r"can run a program when it is read.*\.gguf or \.safetensors"):
            choose(name, "config.json", "tokenizer.json", pick=pick)


def test_a_pickle_beside_a_good_format_is_left_there() -> None:
    assert "pytorch_model.bin" not in names(choose(*TRANSFORMERS, "pytorch_model.bin"))


def test_of_a_gguf_file_only_the_last_part_of_its_name_is_used() -> None:
    assert names(choose("../../etc/x.gguf")) == ["x.gguf"]


@pytest.mark.parametrize(
    "name", ["x\n.gguf", "x\u202e.gguf", "..\\x.gguf", "é" * 150 + ".gguf", " .gguf", ".gguf", "a/..gguf"]
)
def test_a_model_with_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(SourceError, match="no name for a file here"):
        choose(name)


def test_a_hostile_name_among_the_files_of_a_model_is_refused_and_elsewhere_left() -> None:
    assert names(choose(*WEB, "onnx/model.onnx", "../../evil"))[0] == "onnx/model.onnx"
    with pytest.raises(SourceError, match="no name for a file here"):
        choose(*WEB, "onnx/model.onnx", "onnx/model.onnx_data/../../../x")


PIECES = "model T -Q4_K_M -Q8_0 -00001-of-00002 -00002-of-00002 .gguf .onnx .safetensors _data / onnx/ .. . config.json"
MORE = "tokenizer.json genai_config.json LICENSE mmproj .bin \0 A a"
ALPHABET = st.sampled_from([*PIECES.split(), *MORE.split(" "), *string.punctuation])
LISTINGS = st.lists(st.lists(ALPHABET, min_size=1, max_size=6).map("".join), unique=True, max_size=12)


@given(
    LISTINGS, st.none() | st.sampled_from(["Q4_K_M", "onnx", "model.onnx", "T.gguf", "cpu"]), st.none() | st.just(10)
)
def test_whatever_a_hub_lists_ends_in_safe_names_or_a_clear_error(
    listing: list[str], pick: str | None, max_bytes: int | None
) -> None:
    files = [remote(name) for name in listing]
    try:
        choice = choose_files(files, "a/b", pick, max_bytes)
    except SourceError:
        return
    assert choice.files and choice.stem
    assert len({file.name.casefold() for file in choice.files}) == len(choice.files)
    assert {file.url for file in choice.files} <= {file.url for file in files}
    for file in choice.files:
        steps = file.name.split("/")
        assert file.name.isprintable() and all(step.strip(". ") for step in steps)
