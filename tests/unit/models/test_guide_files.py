"""The embedded model's two forms, a folder and a GGUF file, say the same and stay small."""

import json
import re
import struct
from datetime import datetime
from random import Random
from typing import Any

import pytest
from tokenizers import Tokenizer as LibraryTokenizer

from appliance.engine.chat.template import ChatTemplate
from models.default.chat import CHAT_TEMPLATE, render
from models.default.text.conversation import conversation
from models.default.tokenizer import SPECIAL_TOKENS, Tokenizer
from models.embedded import EMBEDDED_PATH
from models.formats.gguf import GGUFFile, read_gguf

FOLDER = EMBEDDED_PATH.with_suffix("")
MAX_BYTES = 25_000_000
MESSY = "½²Ⅳ 12 \t\r\n  \u3000x \u00a0 don't I'LL naïve 加载，模型。🙂 _a_ <|im_end| __ क्षि\x1c\x1d"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}}},
    },
}
CALL = {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "北京"}}}


@pytest.fixture(scope="module")
def gguf() -> GGUFFile:
    return read_gguf(EMBEDDED_PATH, read_arrays=True)


@pytest.fixture(scope="module")
def ours(gguf: GGUFFile) -> Tokenizer:
    tokens, merges = gguf.metadata["tokenizer.ggml.tokens"], gguf.metadata["tokenizer.ggml.merges"]
    assert isinstance(tokens, tuple)
    assert isinstance(merges, tuple)
    pairs = [str(merge).split(" ") for merge in merges]
    return Tokenizer(tuple(map(str, tokens)), tuple((left, right) for left, right in pairs))


def read_json(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def safetensors_header() -> dict[str, Any]:
    with (FOLDER / "model.safetensors").open("rb") as stream:
        (size_bytes,) = struct.unpack("<Q", stream.read(8))
        header: dict[str, Any] = json.loads(stream.read(size_bytes))
    header.pop("__metadata__", None)
    header["end"] = 8 + size_bytes
    return header


def test_both_forms_together_stay_within_their_bytes() -> None:
    sizes = [path.stat().st_size for path in (EMBEDDED_PATH, *FOLDER.iterdir())]
    assert 15_000_000 < sum(sizes) <= MAX_BYTES


def test_the_library_gives_our_tokens_for_text_of_both_languages(ours: Tokenizer) -> None:
    library = LibraryTokenizer.from_file(str(FOLDER / "tokenizer.json"))
    random = Random(7)
    texts = [render(chat.messages, chat.tools) for chat in (conversation(random) for _ in range(300))]
    for text in (*texts, MESSY):
        ids = library.encode(text, add_special_tokens=False).ids
        assert ids == ours.encode_marked(text)
        assert library.decode(ids, skip_special_tokens=False) == text


def test_the_vocabulary_of_both_forms_is_one(ours: Tokenizer) -> None:
    library = LibraryTokenizer.from_file(str(FOLDER / "tokenizer.json"))
    assert library.get_vocab() == {token: index for index, token in enumerate(ours.tokens)}
    assert ours.tokens[-3:] == SPECIAL_TOKENS


def test_both_forms_name_the_same_sizes_ends_and_template(gguf: GGUFFile) -> None:
    configuration, facts = read_json("config.json"), gguf.metadata
    assert configuration["num_hidden_layers"] == facts["llama.block_count"]
    assert configuration["hidden_size"] == facts["llama.embedding_length"]
    assert configuration["num_key_value_heads"] == facts["llama.attention.head_count_kv"]
    assert configuration["max_position_embeddings"] == facts["llama.context_length"]
    assert configuration["rms_norm_eps"] == pytest.approx(facts["llama.attention.layer_norm_rms_epsilon"])
    assert read_json("generation_config.json")["eos_token_id"] == facts["tokenizer.ggml.eos_token_id"]
    assert read_json("tokenizer_config.json")["chat_template"] == facts["tokenizer.chat_template"] == CHAT_TEMPLATE


def test_both_forms_hold_the_same_tensors(gguf: GGUFFile) -> None:
    header = safetensors_header()
    end = header.pop("end")
    offset = 0
    for tensor in sorted(header.values(), key=lambda tensor: tensor["data_offsets"]):
        assert tensor["dtype"] == "F16"
        assert tensor["data_offsets"][0] == offset
        offset = tensor["data_offsets"][1]
    assert end + offset == (FOLDER / "model.safetensors").stat().st_size
    assert sorted(tuple(tensor["shape"]) for tensor in header.values()) == sorted(t.shape for t in gguf.tensors)
    assert {tensor.type for tensor in gguf.tensors} == {"Q8_0", "F32"}


def test_the_template_shows_tools_calls_and_results() -> None:
    text = render(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "北京天气？"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "sunny"},
        ],
        [WEATHER],
        add_generation_prompt=True,
    )
    assert text == (
        "<|im_start|>system\nBe brief.\n\n<tools>\n"
        '{"name": "get_weather", "description": "Get the weather.", "parameters": '
        '{"city": "string", "unit": ["C", "F"]}}\n</tools><|im_end|>\n'
        "<|im_start|>user\n北京天气？<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "北京"}}\n</tool_call>'
        "<|im_end|>\n<|im_start|>user\n<tool_response>\nsunny\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
    )


def test_the_worker_renders_the_template_as_training_did() -> None:
    worker = ChatTemplate(CHAT_TEMPLATE, "", "", clock=lambda: datetime(2026, 1, 1))
    random = Random(3)
    chats = [conversation(random) for _ in range(200)]
    assert 0 < sum(not chat.tools for chat in chats) < 200
    for chat in chats:
        wanted = render(chat.messages, chat.tools, add_generation_prompt=True)
        assert worker.render(chat.messages, {}, chat.tools) == wanted


def test_a_call_s_arguments_may_be_text_as_clients_of_the_api_send_them() -> None:
    call = {"function": {"name": "f", "arguments": '{"a": 1}'}}
    text = render([{"role": "assistant", "content": "", "tool_calls": [call, call]}])
    assert re.findall(r"<tool_call>\n(.*)\n</tool_call>", text) == ['{"name": "f", "arguments": {"a": 1}}'] * 2
