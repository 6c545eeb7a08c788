"""The media of a request on their way in: the model must read them, they are fetched, and they are not too many.

What a file unfolds into is looked at where it is decoded. Here it is still what the caller sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from msgspec.structs import replace

from appliance.core.caller import Caller
from appliance.core.request import ChatPrompt, GenerateRequest, Media, MediaAddress, MediaKind, Message, Prompt
from appliance.core.units import format_bytes
from appliance.dialects.media.formats import NOUNS
from appliance.dialects.media.given import medium_of
from appliance.errors import InvalidRequest
from appliance.settings import MediaSettings

MAX_REQUEST_BYTES = 2**27
"""Of media, whatever the settings say: a worker is sent a request in one frame, which may be twice as long."""

Fetch = Callable[[str, str], Awaitable[bytes]]
"""`(url, param)`: what lies behind an address. Raises: InvalidRequest."""
ReadFile = Callable[[str, str, str], Awaitable[bytes]]
"""`(owner, file id, param)`: what one of a caller's files holds. Raises: ApplianceError."""
Check = Callable[[str, frozenset[MediaKind]], None]
"""Raises InvalidRequest where a model, by its canonical name, does not read these kinds."""


class MediaIntake:
    """Makes requests whole. One without media stays as it is."""

    def __init__(
        self, settings: MediaSettings, max_request_bytes: int, check: Check, fetch: Fetch, read_file: ReadFile
    ) -> None:
        """`max_request_bytes` is what all media of a request may hold together."""
        self._settings = settings
        self._max_request_bytes = min(max_request_bytes, MAX_REQUEST_BYTES)
        self._check = check
        self._fetch = fetch
        self._read_file = read_file

    async def whole(self, request: GenerateRequest, caller: Caller) -> GenerateRequest:
        """Return the request with what was still to be fetched. Raises: InvalidRequest, FileNotFound, StorageError."""
        media = list(media_in(request.prompt))
        if not media:
            return request
        self._check(request.model, frozenset(each.kind for each in media))
        if len(media) > self._settings.max_per_request:
            raise InvalidRequest(
                f"the request holds {len(media)} pictures and recordings; at most {self._settings.max_per_request} "
                "are read at once (media.max_per_request); leave the oldest out",
                param="messages",
            )
        found = await self._found(media, caller)
        assert isinstance(request.prompt, ChatPrompt), "only a conversation has media"
        messages = tuple(_with_media(message, found) for message in request.prompt.messages)
        made = replace(request, prompt=replace(request.prompt, messages=messages))
        self._check_sizes([each for each in media_in(made.prompt) if isinstance(each, Media)])
        return made

    async def _found(self, media: list[Media | MediaAddress], caller: Caller) -> dict[tuple[str, str], bytes]:
        """Return what lies at each address, fetched once each; all ends with the first that cannot be, or is too much.

        Raises: InvalidRequest, FileNotFound, StorageError.
        """
        addresses = [each for each in media if isinstance(each, MediaAddress)]
        total_bytes = sum(len(each.data) for each in media if isinstance(each, Media))
        firsts = {_key(address): address for address in reversed(addresses)}
        tasks = {key: asyncio.create_task(self._one(address, caller)) for key, address in firsts.items()}
        try:
            for task in asyncio.as_completed(tasks.values()):
                total_bytes += len(await task)
                self._check_total(total_bytes)
        finally:
            for each in tasks.values():
                each.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        return {key: task.result() for key, task in tasks.items()}

    async def _one(self, address: MediaAddress, caller: Caller) -> bytes:
        if address.file_id:
            return await self._read_file(caller.id, address.file_id, address.param)
        return await self._fetch(address.url, address.param)

    def _check_sizes(self, media: list[Media]) -> None:
        most_bytes = self._settings.max_bytes
        for number, each in enumerate(media, 1):
            if len(each.data) > most_bytes:
                raise InvalidRequest(
                    f"{NOUNS[each.kind]} {number} of the request is {format_bytes(len(each.data))} long; at most "
                    f"{format_bytes(most_bytes)} are read (media.max_bytes)",
                    param="messages",
                )
        self._check_total(sum(len(each.data) for each in media))

    def _check_total(self, total_bytes: int) -> None:
        if total_bytes > self._max_request_bytes:
            raise InvalidRequest(
                f"the media of the request hold {format_bytes(total_bytes)} together; at most "
                f"{format_bytes(self._max_request_bytes)} are read at once (server.max_body_bytes)",
                param="messages",
            )


def media_in(prompt: Prompt) -> Iterator[Media | MediaAddress]:
    """Yield the media of a prompt in their order."""
    if isinstance(prompt, ChatPrompt):
        for message in prompt.messages:
            yield from message.media


def _with_media(message: Message, found: dict[tuple[str, str], bytes]) -> Message:
    if not any(isinstance(each, MediaAddress) for each in message.media):
        return message
    return replace(message, media=tuple(_medium(each, found) for each in message.media))


def _medium(given: Media | MediaAddress, found: dict[tuple[str, str], bytes]) -> Media:
    if isinstance(given, Media):
        return given
    return medium_of(found[_key(given)], given.kind, given.at, given.param)


def _key(address: MediaAddress) -> tuple[str, str]:
    return address.url, address.file_id
