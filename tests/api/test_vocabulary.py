"""`/tokenize`, `/detokenize`, `/apply-template`: in both shapes, exactly as charged, and what they refuse."""

from typing import Any

import httpx
import pytest

from tests.conftest import RealDaemon

TEXT = "Grüße, 世界! 🙂"
CHAT = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": TEXT}]}


def answer(http: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    response = http.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_text_becomes_tokens_and_comes_back(http: httpx.Client) -> None:
    tokens = answer(http, "/tokenize", {"content": TEXT})["tokens"]
    assert all(isinstance(token, int) for token in tokens)
    assert answer(http, "/detokenize", {"tokens": tokens}) == {"content": TEXT, "prompt": TEXT}


def test_pieces_are_texts_or_bytes_that_add_up_to_the_text(http: httpx.Client) -> None:
    pieces = answer(http, "/tokenize", {"content": TEXT, "with_pieces": True})["tokens"]
    spelled = [each["piece"] for each in pieces]
    assert b"".join(bytes(one) if isinstance(one, list) else one.encode() for one in spelled).decode() == TEXT
    assert [each["id"] for each in pieces] == answer(http, "/tokenize", {"content": TEXT})["tokens"]


def test_special_tokens_are_read_or_are_plain_text_as_asked(http: httpx.Client) -> None:
    special = answer(http, "/tokenize", {"content": "<|im_end|>"})["tokens"]
    assert len(special) == 1
    plain = answer(http, "/tokenize", {"content": "<|im_end|>", "parse_special": False})["tokens"]
    assert len(plain) > 1
    assert answer(http, "/detokenize", {"tokens": special})["content"] == "<|im_end|>"


def test_the_shape_of_vllm_counts_texts_and_conversations(http: httpx.Client) -> None:
    read = answer(http, "/tokenize", {"model": "guide", "prompt": TEXT, "return_token_strs": True})
    assert read["count"] == len(read["tokens"]) == len(read["token_strs"])
    assert read["max_model_len"] == 2048
    chat = answer(http, "/tokenize", CHAT)
    prompt = answer(http, "/apply-template", CHAT)["prompt"]
    assert chat["tokens"] == answer(http, "/tokenize", {"prompt": prompt})["tokens"]


def test_a_template_ends_where_the_answer_begins_unless_told_otherwise(http: httpx.Client) -> None:
    prompt = answer(http, "/apply-template", CHAT)["prompt"]
    assert prompt.endswith("<|im_start|>assistant\n")
    shorter = answer(http, "/apply-template", CHAT | {"add_generation_prompt": False})["prompt"]
    assert prompt == shorter + "<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/tokenize", {}, "content"),
        ("/tokenize", {"content": 5}, "content"),
        ("/tokenize", {"messages": []}, "messages"),
        ("/tokenize", {"messages": [{"role": "user"}]}, "messages[0].content"),
        ("/detokenize", {}, "tokens"),
        ("/detokenize", {"tokens": [-1]}, "tokens[0]"),
        ("/detokenize", {"tokens": [10**6]}, "tokens"),
        ("/detokenize", {"tokens": "a"}, "tokens"),
        ("/apply-template", {"messages": None}, "messages"),
        ("/tokenize", {"content": "a", "model": "nobody"}, "model"),
        ("/detokenize", {"tokens": [], "model": "../../etc/passwd"}, "model"),
    ],
)
def test_what_cannot_be_read_names_its_field(http: httpx.Client, path: str, body: dict[str, Any], param: str) -> None:
    response = http.post(path, json=body)
    assert response.status_code == (404 if param == "model" else 400)
    assert response.json()["error"]["param"] == param


def test_nothing_is_read_as_nothing(http: httpx.Client) -> None:
    assert answer(http, "/tokenize", {"content": ""}) == {"tokens": []}
    assert answer(http, "/detokenize", {"tokens": []})["content"] == ""


def test_what_is_counted_is_what_is_charged(real_daemon: RealDaemon) -> None:
    with httpx.Client(base_url=real_daemon.url, trust_env=False, timeout=30) as http:
        charged = answer(http, "/v1/chat/completions", CHAT | {"max_tokens": 1})["usage"]["prompt_tokens"]
        assert answer(http, "/tokenize", CHAT)["count"] == charged
        charged = answer(http, "/v1/completions", {"prompt": TEXT, "max_tokens": 1})["usage"]["prompt_tokens"]
        assert answer(http, "/tokenize", {"prompt": TEXT})["count"] == charged
