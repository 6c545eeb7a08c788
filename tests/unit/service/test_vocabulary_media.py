"""Counting prompts with pictures: by a model in memory alone, and never by a guess."""

from typing import Any

import pytest

from appliance.core.events import PromptRead
from appliance.core.request import ChatPrompt, Media, MediaAddress, MediaKind, Message, ReadRequest, RequestId
from appliance.errors import InvalidRequest
from appliance.service.vocabulary import Vocabularies
from tests.faults.daemon import on_uvloop

PICTURE = Media(kind="image", data=b"", digest="d", at=0)


class Sees:
    def preset(self, model: str) -> None:
        return None

    def task(self, model: str) -> str:
        return "generate"

    def check_media(self, model: str, kinds: frozenset[MediaKind]) -> None:
        if model == "blind":
            raise InvalidRequest("model 'blind' cannot see")


class Scheduler:
    """Has one model in memory."""

    async def count(self, request: ReadRequest) -> PromptRead | None:
        return PromptRead(id=request.id, num_tokens=42) if request.model == "loaded" else None


def never(*arguments: Any) -> Any:
    raise AssertionError("no vocabulary knows a picture")


async def read(model: str, *media: Media | MediaAddress, wants: Any = "count") -> PromptRead:
    prompt = ChatPrompt(messages=(Message(role="user", content="hi", media=media),))
    sees: Any = Sees()
    scheduler: Any = Scheduler()
    request = ReadRequest(id=RequestId("1"), model=model, prompt=prompt, wants=wants)
    return await Vocabularies(sees, scheduler, never).read(request)


@on_uvloop
async def test_a_model_in_memory_counts() -> None:
    assert (await read("loaded", PICTURE)).num_tokens == 42


@on_uvloop
async def test_what_is_not_known_is_said_and_not_guessed() -> None:
    with pytest.raises(InvalidRequest, match="model 'away' is not there; load it, and count again"):
        await read("away", PICTURE)
    with pytest.raises(InvalidRequest, match="have no tokens to show"):
        await read("loaded", PICTURE, wants="tokens")
    with pytest.raises(InvalidRequest, match="cannot see"):
        await read("blind", PICTURE)


@on_uvloop
async def test_nothing_is_fetched_to_be_counted() -> None:
    address = MediaAddress(kind="image", url="https://a/b", at=0, param="messages[0].content[0].image_url.url")
    with pytest.raises(InvalidRequest, match="is fetched for an answer alone") as caught:
        await read("loaded", address)
    assert caught.value.param == address.param
