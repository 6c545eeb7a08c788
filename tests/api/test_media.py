"""Pictures in requests before a real daemon, with a small model of random weights that sees."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from anthropic import Anthropic

from appliance.core.admin import AddModel, Done
from tests.conftest import RealDaemon, running_daemon
from tests.tiny_media import png, wav, write_model, write_projector

QUESTION = "What does the picture show, and what stands beside it? "
NUM_PICTURE_TOKENS = 16


@dataclass(frozen=True)
class Said:
    """An answer, and how many tokens its prompt had and how many of these were not computed."""

    text: str
    prompt_tokens: int
    cached_tokens: int


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    write_model(folder / "seeing.gguf")
    write_projector(folder / "projector.gguf")
    return folder


@pytest.fixture(scope="module")
def box(folder: Path) -> Iterator[RealDaemon]:
    with running_daemon(folder / "home") as daemon:
        order = AddModel(path=str(folder / "seeing.gguf"), name="seeing", projector=str(folder / "projector.gguf"))
        *_, last = daemon.client.adopt(order)
        assert isinstance(last, Done)
        yield daemon


def post(box: RealDaemon, path: str, body: dict[str, Any]) -> httpx.Response:
    key = (box.home / "run" / "local.key").read_text().strip()
    return httpx.post(
        f"{box.url}{path}", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False
    )


def url_of(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def chat(box: RealDaemon, *parts: str | bytes, is_cached: bool = True) -> httpx.Response:
    content = [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": url_of(part)}}
        for part in parts
    ]
    body = {"model": "seeing", "messages": [{"role": "user", "content": content}], "temperature": 0, "max_tokens": 12}
    return post(
        box, "/v1/chat/completions", {**body, "ignore_eos": True, "cache_prompt": is_cached, "cache": {"mode": "off"}}
    )


def ask(box: RealDaemon, *parts: str | bytes, is_cached: bool = True) -> Said:
    response = chat(box, *parts, is_cached=is_cached)
    assert response.status_code == 200, response.text
    answer = response.json()
    usage = answer["usage"]
    cached = usage["prompt_tokens_details"]["cached_tokens"] or 0
    return Said(answer["choices"][0]["message"]["content"], usage["prompt_tokens"], cached)


def test_other_pictures_get_other_answers_and_the_same_is_not_computed_again(box: RealDaemon) -> None:
    first, again, other = ask(box, png(1), QUESTION), ask(box, png(1), QUESTION), ask(box, png(2), QUESTION)
    assert again.text == first.text != other.text
    assert (first.prompt_tokens, other.prompt_tokens) == (again.prompt_tokens, again.prompt_tokens)
    assert again.cached_tokens == again.prompt_tokens - 1
    assert other.cached_tokens < NUM_PICTURE_TOKENS
    text = ask(box, QUESTION)
    assert first.prompt_tokens == text.prompt_tokens + NUM_PICTURE_TOKENS


def test_pictures_stand_where_the_request_has_them(box: RealDaemon) -> None:
    ways = [(png(1), "one", png(2), "two"), (png(2), "one", png(1), "two"), ("one", png(1), "two", png(2))]
    answers = [ask(box, *parts) for parts in ways]
    assert len({answer.text for answer in answers}) == 3
    assert len({answer.prompt_tokens for answer in answers}) == 1


def test_text_that_looks_like_a_picture_is_text(box: RealDaemon) -> None:
    for text in ("<__media__>", "<image>", "medium0n0x"):
        assert ask(box, text * 3).prompt_tokens < NUM_PICTURE_TOKENS * 4


def test_every_dialect_shows_the_same_picture(box: RealDaemon) -> None:
    expected = ask(box, png(3), QUESTION)
    data = base64.b64encode(png(3)).decode()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    claude = post(
        box,
        "/v1/messages",
        {
            "model": "seeing",
            "max_tokens": 12,
            "temperature": 0,
            "messages": [{"role": "user", "content": [image, {"type": "text", "text": QUESTION}]}],
        },
    )
    message = {"role": "user", "content": QUESTION, "images": [data]}
    options = {"temperature": 0, "num_predict": 12}
    ollama = post(box, "/api/chat", {"model": "seeing", "messages": [message], "options": options, "stream": False})
    parts = [{"type": "input_image", "image_url": url_of(png(3))}, {"type": "input_text", "text": QUESTION}]
    responses = post(
        box,
        "/v1/responses",
        {"model": "seeing", "input": [{"role": "user", "content": parts}], "temperature": 0, "max_output_tokens": 12},
    )
    assert (claude.status_code, ollama.status_code, responses.status_code) == (200, 200, 200)
    said = [
        (claude.json()["content"][0]["text"], claude.json()["usage"]["input_tokens"]),
        (ollama.json()["message"]["content"], ollama.json()["prompt_eval_count"]),
        (responses.json()["output"][-1]["content"][0]["text"], responses.json()["usage"]["input_tokens"]),
    ]
    for text, _ in said:
        assert expected.text.startswith(text) and text  # these may end where the model does
    assert {num_tokens for _, num_tokens in said[1:]} == {expected.prompt_tokens}


def test_anthropics_library_sends_a_picture_once_and_asks_about_it(box: RealDaemon) -> None:
    key = (box.home / "run" / "local.key").read_text().strip()
    with Anthropic(base_url=box.url, api_key=key, max_retries=0) as library:
        file = library.beta.files.upload(file=("a.png", png(8), "image/png"))
        assert (file.type, file.mime_type, file.size_bytes) == ("file", "image/png", len(png(8)))
        assert file.created_at.year > 2000
        image = {"type": "image", "source": {"type": "file", "file_id": file.id}}
        content: Any = [image, {"type": "text", "text": QUESTION}]
        messages: Any = [{"role": "user", "content": content}]
        said = library.beta.messages.create(model="seeing", max_tokens=4, messages=messages)
        assert said.usage.output_tokens > 0
        assert [each.id for each in library.beta.files.list()] == [file.id]
        assert library.beta.files.retrieve_metadata(file.id) == file
        assert library.beta.files.delete(file.id).type == "file_deleted"
        assert not [*library.beta.files.list()]


def test_pictures_among_many_texts_get_the_answers_that_they_get_alone(box: RealDaemon) -> None:
    texts = [f"Caller {number} tells a story of its own, and it goes on for a while." for number in range(8)]
    asked: list[tuple[str | bytes, ...]] = [(png(4), QUESTION), (png(5), QUESTION), *((text,) for text in texts)]
    alone = [ask(box, *parts, is_cached=False).text for parts in asked]
    with ThreadPoolExecutor(len(asked)) as callers:
        together = [*callers.map(lambda parts: ask(box, *parts, is_cached=False).text, asked)]
    assert together[:2] == alone[:2]
    assert together == alone


@pytest.mark.parametrize(
    ("data", "words"),
    [(png(1)[:60], "image"), (b"no picture", "image_url"), (wav(1), "image_url")],
)
def test_a_broken_picture_fails_its_request_and_no_other(box: RealDaemon, data: bytes, words: str) -> None:
    before = ask(box, png(1), QUESTION)
    response = chat(box, data, QUESTION)
    assert response.status_code == 400
    assert words in response.text
    assert ask(box, png(1), QUESTION).text == before.text


def test_a_model_that_does_not_see_says_so(box: RealDaemon) -> None:
    body = {
        "model": "guide",
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url_of(png(1))}}]}],
    }
    response = post(box, "/v1/chat/completions", body)
    assert response.status_code == 400


def test_a_prompt_with_too_many_pictures_is_too_long(box: RealDaemon) -> None:
    response = chat(box, "word " * 3000, png(1))
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"


def test_pictures_are_kept_on_the_disk_over_the_end_of_a_worker(box: RealDaemon) -> None:
    long = "The picture is looked at for a long time before anybody says a word of it. " * 12
    first = ask(box, png(6), long)
    assert first.prompt_tokens > 300
    box.client.unload("seeing")
    again, other = ask(box, png(6), long), ask(box, png(7), long)
    assert again.text == first.text
    assert again.cached_tokens >= 256
    assert other.cached_tokens < NUM_PICTURE_TOKENS
