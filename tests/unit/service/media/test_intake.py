"""Media on their way in: fetched once each, within the limits, and only for models that read them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.core.caller import LOCAL
from appliance.core.files import FileTerms
from appliance.core.request import (
    ChatPrompt,
    GenerateRequest,
    Media,
    MediaAddress,
    MediaKind,
    Message,
    RequestId,
    TextPrompt,
)
from appliance.errors import FileNotFound, InvalidRequest
from appliance.link.frames import MAX_FRAME_BYTES
from appliance.service.files.files import Files
from appliance.service.media.intake import MAX_REQUEST_BYTES, MediaIntake
from appliance.service.media.user_files import PictureFiles
from appliance.settings import MediaSettings
from tests.tiny_media import png

PNG = png(1)
PICTURE = Media(kind="image", data=PNG, digest=hashlib.sha256(PNG).hexdigest(), at=0)


class Web:
    """What lies at addresses, and which were fetched."""

    def __init__(self, content: bytes = PNG) -> None:
        self.content = content
        self.fetched: list[str] = []

    async def fetch(self, url: str, param: str) -> bytes:
        self.fetched.append(url)
        return self.content


def check(model: str, kinds: frozenset[MediaKind]) -> None:
    if model == "blind":
        raise InvalidRequest("model 'blind' cannot see")


async def no_file(owner: str, file_id: str, param: str) -> bytes:
    raise FileNotFound(f"there is no file {file_id!r}")


def intake(web: Web, max_request_bytes: int = 2**20, **settings: int) -> MediaIntake:
    return MediaIntake(MediaSettings(**settings), max_request_bytes, check, web.fetch, no_file)


def asked(*media: Media | MediaAddress, model: str = "sees") -> GenerateRequest:
    prompt = ChatPrompt(messages=(Message(role="user", content="hi", media=media),))
    return GenerateRequest(id=RequestId("1"), model=model, prompt=prompt)


def at(url: str, place: int = 0) -> MediaAddress:
    return MediaAddress(kind="image", url=url, at=place, param="p")


def media_of(request: GenerateRequest) -> tuple[Media | MediaAddress, ...]:
    assert isinstance(request.prompt, ChatPrompt)
    return request.prompt.messages[0].media


def whole(request: GenerateRequest, web: Web | None = None, **limits: int) -> GenerateRequest:
    return asyncio.run(intake(web or Web(), **limits).whole(request, LOCAL))


def test_a_request_of_text_alone_stays_as_it_is() -> None:
    for request in (asked(), GenerateRequest(id=RequestId("1"), model="blind", prompt=TextPrompt(text="a"))):
        assert whole(request) is request


def test_addresses_become_what_lies_there_and_each_is_fetched_once() -> None:
    web = Web()
    made = whole(asked(at("https://a/1"), PICTURE, at("https://a/1", 2), at("https://a/2", 2)), web)
    assert [each.at for each in media_of(made)] == [0, 0, 2, 2]
    assert {each.digest for each in media_of(made) if isinstance(each, Media)} == {PICTURE.digest}
    assert sorted(web.fetched) == ["https://a/1", "https://a/2"]
    assert whole(made, web) == made, "what is whole stays so"


def test_nothing_is_fetched_for_a_model_that_cannot_see_it() -> None:
    web = Web()
    with pytest.raises(InvalidRequest, match="cannot see"):
        whole(asked(at("https://a/1"), model="blind"), web)
    assert not web.fetched


def test_what_is_fetched_has_to_be_a_picture() -> None:
    with pytest.raises(InvalidRequest, match="is HTML; send the picture as PNG") as caught:
        whole(asked(at("https://a/1")), Web(b"<!doctype html><title>Not found</title>"))
    assert caught.value.param == "p"


@pytest.mark.parametrize(
    ("limits", "fault"),
    [
        ({"max_per_request": 1}, r"holds 2 pictures and recordings; at most 1"),
        ({"max_bytes": 1024, "max_request_bytes": 2**20}, r"picture 2 of the request .*media\.max_bytes"),
        ({"max_request_bytes": 1500}, r"together; .*server\.max_body_bytes"),
    ],
)
def test_too_many_or_too_much_is_refused(limits: dict[str, int], fault: str) -> None:
    large = png(2) + bytes(1200)
    with pytest.raises(InvalidRequest, match=fault):
        whole(asked(PICTURE, Media(kind="image", data=large, digest="d", at=0)), **limits)


def test_no_setting_lets_more_through_than_a_worker_is_sent() -> None:
    """A longer frame would break the link, and end the answers of everybody else with it."""
    assert MAX_REQUEST_BYTES < MAX_FRAME_BYTES
    half = Media(kind="image", data=bytes(MAX_REQUEST_BYTES // 2 + 1), digest="d", at=0)
    with pytest.raises(InvalidRequest, match="together"):
        whole(asked(half, half), max_request_bytes=2**40, max_bytes=2**27)


def test_what_is_too_much_together_is_not_fetched_to_its_end() -> None:
    """Each is within its own limit: without this, a request of 64 addresses would hold 64 times that for a moment."""
    ended: list[str] = []

    async def fetch(url: str, param: str) -> bytes:
        try:
            if url.endswith("slow"):
                await asyncio.Event().wait()
        finally:
            ended.append(url)
        return PNG

    async def ask() -> None:
        making = MediaIntake(MediaSettings(), len(PNG), check, fetch, no_file)
        await making.whole(asked(*map(at, ("https://a/1", "https://a/slow", "https://a/2"))), LOCAL)

    with pytest.raises(InvalidRequest, match="together"):
        asyncio.run(ask())
    assert set(ended) == {"https://a/1", "https://a/slow", "https://a/2"}


def test_the_first_that_cannot_be_fetched_ends_the_others() -> None:
    ended: list[str] = []

    async def fetch(url: str, param: str) -> bytes:
        if url.endswith("bad"):
            raise InvalidRequest("'p' could not be fetched")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(url)
        return PNG

    async def ask() -> None:
        making = MediaIntake(MediaSettings(), 2**20, check, fetch, no_file)
        await making.whole(asked(at("https://a/slow"), at("https://a/bad")), LOCAL)

    with pytest.raises(InvalidRequest, match="could not be fetched"):
        asyncio.run(ask())
    assert ended == ["https://a/slow"]


def by_file(home: Path, purpose: str, owner: str, max_bytes: int = 2**20) -> GenerateRequest:
    async def ask() -> GenerateRequest:
        async def chunks() -> AsyncIterator[bytes]:
            yield PNG

        files = Files(home, 2**20)
        await files.start()
        try:
            terms = FileTerms(purpose=purpose, filename="a.png", keep_s=None)
            file = await files.take(owner, chunks(), lambda: terms)
            reading = PictureFiles(files, max_bytes).read
            address = MediaAddress(kind="image", file_id=file.id, at=1, param="input[0]")
            return await MediaIntake(MediaSettings(), 2**20, check, Web().fetch, reading).whole(asked(address), LOCAL)
        finally:
            await files.close()

    return asyncio.run(ask())


def test_a_callers_own_file_is_read(tmp_path: Path) -> None:
    (medium,) = media_of(by_file(tmp_path, "vision", LOCAL.id))
    assert isinstance(medium, Media) and (medium.data, medium.at) == (PNG, 1)


def test_nobody_elses_file_nor_one_for_something_else_is_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFound):
        by_file(tmp_path, "vision", "somebody else")
    with pytest.raises(InvalidRequest, match="was sent for 'batch'"):
        by_file(tmp_path, "batch", LOCAL.id)
    with pytest.raises(InvalidRequest, match="longer than 10 bytes"):
        by_file(tmp_path, "vision", LOCAL.id, max_bytes=10)
