"""Which source a reference belongs to."""

import subprocess
import sys

import pytest

from models.sources.base import SourceError
from models.sources.file import FileSource
from models.sources.http import HttpSource
from models.sources.hugging_face import HuggingFaceSource
from models.sources.modelscope import ModelScopeSource
from models.sources.ollama import OllamaSource
from models.sources.opening import SourceSettings, open_source
from models.sources.reference import parse_reference

SETTINGS = SourceSettings(
    hugging_face_endpoint="https://mirror.example/hf/", hugging_face_token="hf_geheim", modelscope_token="ms_geheim"
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("hf:a/b", HuggingFaceSource),
        ("ms:a/b", ModelScopeSource),
        ("ollama:a", OllamaSource),
        ("https://example.org/m.gguf", HttpSource),
        ("/m.gguf", FileSource),
        ("https://mirror.example/a/b/resolve/main/m.gguf", HuggingFaceSource),
    ],
)
def test_each_reference_has_its_source(text: str, kind: type) -> None:
    assert isinstance(open_source(parse_reference(text), SETTINGS), kind)


def test_a_token_is_sent_to_the_endpoint_that_is_set() -> None:
    source = open_source(parse_reference("hf:a/b"), SETTINGS)
    assert source.headers("https://mirror.example/hf/a/b/resolve/x") == {"Authorization": "Bearer hf_geheim"}
    assert source.headers("https://huggingface.co/a/b/resolve/x") == {}


def test_a_name_of_the_catalogue_is_no_place() -> None:
    with pytest.raises(SourceError, match="no model 'qwen3'"):
        open_source(parse_reference("qwen3"), SETTINGS)


def test_tokens_are_in_no_log() -> None:
    assert "geheim" not in repr(SETTINGS) and "geheim" not in str(SETTINGS)


def test_nothing_heavy_is_loaded_before_a_source_is_opened() -> None:
    program = "import sys, models.sources.opening; print(*sorted(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"httpx", "httpx2", "huggingface_hub"} & set(result.stdout.split())
