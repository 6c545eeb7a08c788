"""Pictures and recordings in every dialect: what is taken, where each stands in its text, and what is refused."""

import base64
import hashlib
from typing import Any

import msgspec
import pytest

from appliance.core.request import ChatPrompt, Media, MediaAddress, Message, RequestId
from appliance.dialects.anthropic.messages import MessagesRequest, messages_to_core
from appliance.dialects.ollama.chat import ChatRequest as OllamaChat
from appliance.dialects.ollama.chat import chat_to_core as ollama_to_core
from appliance.dialects.ollama.generate import GenerateBody, generate_to_core, prompt_of
from appliance.dialects.openai.chat import ChatRequest, chat_to_core
from appliance.dialects.responses.items import take_in
from appliance.dialects.responses.transcript import messages_of
from appliance.errors import InvalidRequest
from tests.tiny_media import png, wav

PNG, WAV = png(1), wav(1)
PICTURE = base64.b64encode(PNG).decode()
SOUND = base64.b64encode(WAV).decode()
DATA_URL = f"data:image/png;base64,{PICTURE}"
WEB_URL = "https://images.example/a.png"
ID = RequestId("1")


def picture(at: int) -> Media:
    return Media(kind="image", data=PNG, digest=hashlib.sha256(PNG).hexdigest(), at=at)


def sound(at: int) -> Media:
    return Media(kind="audio", data=WAV, digest=hashlib.sha256(WAV).hexdigest(), at=at)


def of_chat(*messages: dict[str, Any]) -> tuple[Message, ...]:
    wire = msgspec.convert({"messages": messages}, ChatRequest)
    prompt = chat_to_core(wire, ID, "m").prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt.messages


def of_user(*parts: dict[str, Any]) -> Message:
    return of_chat({"role": "user", "content": list(parts)})[0]


def of_responses(*items: dict[str, Any]) -> tuple[Message, ...]:
    return messages_of(None, take_in(items, "s"))


def of_anthropic(*messages: dict[str, Any]) -> tuple[Message, ...]:
    wire = msgspec.convert({"max_tokens": 1, "messages": messages}, MessagesRequest)
    prompt = messages_to_core(wire, ID, "m").prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt.messages


def of_ollama(*messages: dict[str, Any]) -> tuple[Message, ...]:
    wire = msgspec.convert({"messages": messages}, OllamaChat)
    prompt = ollama_to_core(wire, ID, "m", None).prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt.messages


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def shown(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "high"}}


def test_media_stand_between_the_texts_around_them() -> None:
    said = of_user(text("Look:"), shown(DATA_URL), text("and"), text("hear:"), heard(SOUND))
    assert said.content == "Look:and\nhear:"
    assert said.media == (picture(5), sound(len(said.content)))


def heard(data: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}


def test_an_address_is_kept_to_be_fetched() -> None:
    (medium,) = of_user(text("a"), shown(WEB_URL)).media
    assert medium == MediaAddress(kind="image", url=WEB_URL, at=1, param="messages[0].content[1].image_url.url")


def test_a_tool_may_show_a_picture() -> None:
    tool = {"role": "tool", "tool_call_id": "c", "content": [text("seen"), shown(DATA_URL)]}
    assert of_chat(tool)[0].media == (picture(4),)


def test_base64_may_have_line_breaks_and_no_padding() -> None:
    broken = "\n".join(PICTURE[at : at + 76] for at in range(0, len(PICTURE), 76)).rstrip("=")
    assert of_user(shown(f"data:image/png;base64,{broken}")).media == (picture(0),)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "ftp://a/b.png",
        "gopher://a",
        "blob:x",
        "javascript:1",
        "/etc/passwd",
    ],
)
def test_no_other_scheme_is_ever_read(url: str) -> None:
    with pytest.raises(InvalidRequest, match=r"never read|is no address") as caught:
        of_user(shown(url))
    assert caught.value.param == "messages[0].content[0].image_url.url"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "WebP"),
        (b"\x00\x00\x00\x1cftypavif", "AVIF"),
        (b"%PDF-1.7 ....", "PDF"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (WAV, "WAV"),
        (b"no picture at all", "no format that is known"),
    ],
)
def test_what_cannot_be_decoded_is_refused_with_what_to_send(data: bytes, name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"is (in )?{name}.*; send the picture as PNG, JPEG, GIF or BMP"):
        of_user(shown("data:image/png;base64," + base64.b64encode(data).decode()))


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("data:image/png,raw", "not in base64"),
        ("data:image/png;base64,", "is empty"),
        ("data:image/png;base64,a*b", "is no base64"),
        ("https://a/" + "x" * 2000, "longer than"),
    ],
)
def test_a_broken_data_url_is_refused(url: str, fault: str) -> None:
    with pytest.raises(InvalidRequest, match=fault):
        of_user(shown(url))


@pytest.mark.parametrize("role", ["system", "developer", "assistant"])
def test_only_users_and_tools_show_something(role: str) -> None:
    with pytest.raises(InvalidRequest, match="what a user says or a tool returns"):
        of_chat({"role": role, "content": [shown(DATA_URL)]})


def test_a_document_is_refused_with_what_to_send() -> None:
    with pytest.raises(InvalidRequest, match="send their text, or pictures of pages"):
        of_user({"type": "file", "file": {"file_id": "file-1"}})


def test_responses_take_pictures_by_url_by_file_and_in_what_tools_return() -> None:
    parts = [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": DATA_URL, "detail": "auto"},
        {"type": "input_image", "file_id": "file-1"},
    ]
    user, tool = of_responses(
        {"role": "user", "content": parts},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": DATA_URL}]},
    )
    assert user.media[0] == picture(4)
    assert user.media[1] == MediaAddress(kind="image", file_id="file-1", at=4, param="input[2].file_id")
    assert tool.media == (picture(0),)


def test_responses_keep_pictures_as_they_are_told_again() -> None:
    kept = take_in([{"role": "user", "content": [{"type": "input_image", "image_url": DATA_URL}]}], "s")
    assert kept[0]["content"] == [{"type": "input_image", "image_url": DATA_URL, "file_id": None, "detail": "auto"}]
    assert take_in(kept, "t") == kept


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        ({"role": "system", "content": [{"type": "input_image", "image_url": DATA_URL}]}, "what a user says"),
        ({"role": "user", "content": [{"type": "input_image"}]}, "neither 'image_url' nor 'file_id'"),
        ({"role": "user", "content": [{"type": "input_image", "image_url": "file:///x"}]}, "never read"),
        ({"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}, "no documents are read"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "is required"),
    ],
)
def test_responses_refuse_by_place(item: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidRequest, match=fault) as caught:
        take_in([item], "s")
    assert caught.value.param is not None and caught.value.param.startswith("input[0].content[0]")


def block(**source: str) -> dict[str, Any]:
    return {"type": "image", "source": source}


def test_anthropic_pictures_come_in_three_ways() -> None:
    inline = block(type="base64", media_type="image/jpeg", data=PICTURE)
    user = {
        "role": "user",
        "content": [text("a"), inline, block(type="url", url=WEB_URL), block(type="file", file_id="f")],
    }
    media = of_anthropic(user)[0].media
    assert media[0] == picture(1)
    assert [type(each) for each in media[1:]] == [MediaAddress, MediaAddress]


def test_what_an_anthropic_tool_returned_may_be_a_picture_also_of_an_error() -> None:
    inline = block(type="base64", media_type="image/png", data=PICTURE)
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "see", "input": {}}]}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [text("broken"), inline], "is_error": True}
    tool = of_anthropic({"role": "user", "content": "go"}, call, {"role": "user", "content": [result]})[-1]
    assert tool.content == "Error: broken"
    assert tool.media == (picture(len(tool.content)),)


def test_ollamas_pictures_come_before_the_words() -> None:
    assert of_ollama({"role": "user", "content": "what?", "images": [PICTURE, DATA_URL]})[0].media == (
        picture(0),
        picture(0),
    )


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ({"role": "assistant", "images": [PICTURE]}, "a user or a tool"),
        ({"role": "user", "images": [WEB_URL]}, "in base64"),
        ({"role": "user", "images": ["a*"]}, r"images\[0\]' is no base64"),
    ],
)
def test_ollama_refuses_what_is_no_picture(message: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidRequest, match=fault):
        of_ollama({"content": "hi", **message})


def test_ollamas_generate_shows_pictures_and_gives_no_context_back() -> None:
    wire = GenerateBody(prompt="what?", images=[PICTURE])
    prompt = prompt_of(wire, None, is_chat=True)
    assert isinstance(prompt, ChatPrompt) and prompt.messages[-1].media == (picture(0),)
    assert not generate_to_core(wire, ID, "m", prompt, None).returns_tokens
    with pytest.raises(InvalidRequest, match="the model's chat template renders"):
        prompt_of(GenerateBody(prompt="what?", images=[PICTURE], raw=True), None, is_chat=True)
