"""What is llama.cpp's own: its tokenizer, its failures in its words, and memory as estimated."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from appliance.backends.base import Batch, Run, Snapshot, SnapshotRejected, Tokenizer
from appliance.backends.llama_cpp.estimate import estimate
from appliance.backends.loading import open_backend, open_tokenizer
from appliance.core.plan import Artefact, StepLimits
from appliance.errors import BackendError
from models.manifest import ModelDetails
from tests.shapes import write_shape
from tests.unit.backends.plans import plan_of
from tests.unit.backends.sliding_window import WINDOW_TOKENS, write_sliding_window

MIB = 2**20


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tiny.gguf"
    write_shape(path, "tiny", "F16")
    return path


@pytest.fixture(scope="module")
def tokenizer(path: Path) -> Tokenizer:
    return open_tokenizer(Artefact(format="gguf", path=str(path), digest=""))


@pytest.mark.parametrize("text", ["", "hello there", "naïve 日本語 🙂", "a\0b\n\n", "x" * 5000])
def test_the_bytes_of_the_tokens_of_a_text_are_the_text(tokenizer: Tokenizer, text: str) -> None:
    tokens = tokenizer.encode(text, parse_special=False, add_bos=False)
    assert tokens.dtype == np.int32
    assert b"".join(tokenizer.token_bytes(token) for token in tokens.tolist()) == text.encode()


def test_special_tokens_are_one_token_only_when_they_are_parsed(tokenizer: Tokenizer) -> None:
    (token,) = tokenizer.encode("<|im_end|>", parse_special=True, add_bos=False).tolist()
    assert token in tokenizer.eos_ids
    assert tokenizer.special_text(token) == "<|im_end|>"
    assert tokenizer.token_bytes(token) == b""
    spelled = tokenizer.encode("<|im_end|>", parse_special=False, add_bos=False)
    assert token not in spelled.tolist()
    assert len(spelled) > 1


def test_a_vocabulary_that_asks_for_no_first_token_gets_none(tokenizer: Tokenizer) -> None:
    with_bos = tokenizer.encode("hello", parse_special=False, add_bos=True)
    assert with_bos.tolist() == tokenizer.encode("hello", parse_special=False, add_bos=False).tolist()


def test_the_chat_template_comes_from_the_file(tokenizer: Tokenizer) -> None:
    assert tokenizer.chat_template is not None
    assert "<|im_start|>" in tokenizer.chat_template


@pytest.mark.parametrize("content", [None, b"", b"not a model", b"GGUF" + bytes(64)])
def test_a_file_that_is_no_model_is_refused_in_the_librarys_words(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BackendError, match=r"bad\.gguf: .*(gguf|file|magic).*; check that the file is a whole GGUF"):
        open_backend("llama_cpp").load(plan_of("llama_cpp", "gguf", str(path)), lambda ratio: None)


def test_a_model_cut_short_is_refused_in_the_librarys_words(tmp_path: Path, path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    content = path.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(BackendError, match="is not within the file bounds"):
        open_backend("llama_cpp").load(plan_of("llama_cpp", "gguf", str(cut)), lambda ratio: None)


def test_one_run_can_take_every_output_of_a_step(path: Path) -> None:
    model = open_backend("llama_cpp").load(plan_of("llama_cpp", "gguf", str(path)), lambda ratio: None)
    rows = model.step(Batch((Run(0, 0, np.arange(64, dtype=np.int32), model.traits.max_step_outputs),))).logits
    assert rows[0].shape == (64, model.traits.vocab_size)
    model.close()


def test_a_block_of_other_positions_is_rejected(path: Path) -> None:
    model = open_backend("llama_cpp").load(plan_of("llama_cpp", "gguf", str(path)), lambda ratio: None)
    model.step(Batch((Run(0, 0, np.arange(33, 53, dtype=np.int32), 0),)))
    first = model.snapshot(0, 0, 10)
    model.restore(1, first)
    with pytest.raises(SnapshotRejected):
        model.restore(1, Snapshot(10, 10, first.layout, first.parts))
    assert model.length_tokens(1) == 10
    model.close()


@pytest.mark.parametrize(("context_tokens", "can_truncate"), [(WINDOW_TOKENS - 1, True), (WINDOW_TOKENS, False)])
def test_a_model_whose_window_is_shorter_than_the_context_is_not_cut(
    tmp_path: Path, context_tokens: int, can_truncate: bool
) -> None:
    path = tmp_path / "window.gguf"
    write_sliding_window(path)
    plan = replace(plan_of("llama_cpp", "gguf", str(path)), context_tokens=context_tokens)
    model = open_backend("llama_cpp").load(plan, lambda ratio: None)
    assert model.traits.can_truncate is can_truncate
    assert model.traits.max_sequences == plan.max_sequences
    model.close()


def test_loading_tells_its_progress(path: Path) -> None:
    ratios: list[float] = []
    open_backend("llama_cpp").load(plan_of("llama_cpp", "gguf", str(path)), ratios.append).close()
    assert ratios == sorted(ratios)
    assert ratios[-1] == 1.0


def test_describing_the_backends_imports_neither_numpy_nor_the_library() -> None:
    program = (
        "import sys\n"
        "from appliance.backends import registry, select\n"
        "registry.versions()\n"
        "assert not {'llama_cpp', 'numpy'} & sys.modules.keys()"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(("context_tokens", "measured_mib"), [(2048, 583), (8192, 661)])
def test_the_estimate_is_within_three_percent_of_what_was_measured(context_tokens: int, measured_mib: int) -> None:
    shape = ModelDetails(
        weights_bytes=330 * MIB,
        embedding_length=896,
        total_kv_heads=48,
        key_length=64,
        value_length=64,
        feed_forward_length=4864,
        vocab_size=151_936,
    )
    need = estimate(shape, StepLimits(max_sequences=64, max_step_sequences=32, max_step_tokens=512))
    resident = need.weights_bytes + need.scratch_bytes + context_tokens * need.kv_bytes_per_token
    assert resident == pytest.approx(measured_mib * MIB, rel=0.03)
