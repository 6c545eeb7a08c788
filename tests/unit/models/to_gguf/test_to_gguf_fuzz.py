"""Folders that are made up: whatever their files say, they are converted or refused, and nothing else happens."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.to_gguf.network import read_network
from models.to_gguf.refusal import NotConvertible
from models.to_gguf.vocabulary import vocabulary_metadata
from tests.tiny_decoders import TinyDecoder
from tests.tiny_folders import write_tiny_folder

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["", "▁", "BPE", "ByteLevel"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "a", "String"]), inner),
    max_leaves=6,
)
IN_A_FOLDER = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tiny_folder(tmp_path, TinyDecoder("llama", "llama"))
    return tmp_path


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to everything in a JSON document, of long lists and objects only to the first few."""
    found = [path] if path else []
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(inside)[:8]:
        found += places(item, (*path, key))
    return found


def put(document: Any, place: tuple[Any, ...], value: Any) -> None:
    for key in place[:-1]:
        document = document[key]
    document[place[-1]] = value


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json", "generation_config.json", "config.json"])
@given(data=st.data())
@IN_A_FOLDER
def test_no_file_does_more_than_be_refused(file: str, folder: Path, data: st.DataObject) -> None:
    path = folder / file
    original = path.read_bytes() if path.exists() else b'{"eos_token_id": 1, "bos_token_id": [2]}'
    document = json.loads(original)
    known = places(document) + [(name,) for name in ("rope_scaling", "rope_parameters", "post_processor", "normalizer")]
    put(document, data.draw(st.sampled_from(known)), data.draw(VALUES))
    path.write_text(json.dumps(document))
    try:
        vocabulary_metadata(folder, read_network(folder).vocab_size)
    except NotConvertible:
        pass
    finally:
        path.write_bytes(original)
