"""Fetching a picture: from hosts that are allowed, at public addresses, small and soon enough; each redirect anew."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from appliance.errors import InvalidRequest
from appliance.service.media.fetch import MAX_REDIRECTS, Fetcher, resolve
from appliance.service.places import is_public
from appliance.settings import MediaSettings

BODY = b"\x89PNG\r\n\x1a\n and so on"
PARAM = "messages[0].content[0].image_url.url"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Web:
    """A server on this machine that stands for any host of the web, and what it was asked."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.port = 0
        self.working: set[asyncio.Task[None]] = set()

    def entry(self, host: str) -> str:
        return f"http://{host}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.working.add(task)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        with suppress(ConnectionError):  # the client has heard enough
            await self.answers[head.split()[1]](reader, writer)
        writer.close()


def saying(head: str, body: bytes = b"") -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {head}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()

    return answer


def leading(to: str) -> Answer:
    return saying(f"302 Found\r\nLocation: {to}\r\nSet-Cookie: a=b")


@asynccontextmanager
async def web(**answers: Answer) -> AsyncIterator[Web]:
    found = Web({f"/{name}": answer for name, answer in answers.items()})
    async with await asyncio.start_server(found.serve, "127.0.0.1", 0) as server:
        found.port = server.sockets[0].getsockname()[1]
        yield found
        await asyncio.gather(*found.working)


def resolving(**hosts: str) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """Return a resolver: each host by its first word; what is not named is this machine, where the server is."""

    async def look_up(host: str, port: int) -> Sequence[str]:
        return hosts.get(host.partition(".")[0], "127.0.0.1").split(",")

    return look_up


def is_the_test_server(ip: str) -> bool:
    """Let the server of this test stand for a public address; every other one is what it is."""
    return ip == "127.0.0.1" or is_public(ip)


async def fetch(
    at: Web, path: str, *allowed: str, most_bytes: int = 2**20, within_s: float = 5.0, **hosts: str
) -> bytes:
    settings = MediaSettings(
        allowed_hosts=allowed or (at.entry("images.example"),), max_bytes=most_bytes, fetch_timeout_s=within_s
    )
    fetcher = Fetcher(settings, resolving(**hosts), is_the_test_server)
    return await fetcher.fetch(f"{at.entry('images.example')}{path}", PARAM)


def refusal(path: str, *allowed: str, within_s: float = 5.0, most_bytes: int = 2**20, **answers: Answer) -> str:
    async def ask() -> str:
        async with web(**answers) as at:
            with pytest.raises(InvalidRequest) as caught:
                await fetch(at, path, *allowed, within_s=within_s, most_bytes=most_bytes)
            assert caught.value.param == PARAM
            return caught.value.message

    return asyncio.run(ask())


def test_a_picture_is_fetched_with_nothing_of_ours_in_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async def ask() -> None:
        async with web(a=leading("/b?key=1"), **{"b?key=1": saying("200 OK", BODY)}) as at:
            assert await fetch(at, "/a") == BODY
            assert f"host: images.example:{at.port}" in at.asked[0].lower()
            assert all("cookie" not in each.lower() and "authorization" not in each.lower() for each in at.asked)

    asyncio.run(ask())


def test_without_an_allow_list_nothing_is_fetched_and_the_setting_is_named() -> None:
    async def ask() -> None:
        with pytest.raises(InvalidRequest, match=r'media\.allowed_hosts = \["images\.example"\]') as caught:
            await Fetcher(MediaSettings()).fetch("https://images.example/a.png?secret=1", PARAM)
        assert "secret" not in caught.value.message

    asyncio.run(ask())


@pytest.mark.parametrize("other", ["evil.example", "images.example.evil.example", "images.example@evil.example"])
def test_a_host_that_is_not_allowed_is_not_asked(other: str) -> None:
    async def ask() -> None:
        async with web(a=saying("200 OK", BODY)) as at:
            fetcher = Fetcher(MediaSettings(allowed_hosts=(at.entry("images.example"),)), resolving())
            with pytest.raises(InvalidRequest):
                await fetcher.fetch(f"http://{other}:{at.port}/a", PARAM)
            assert not at.asked

    asyncio.run(ask())


def test_another_port_is_another_place() -> None:
    assert "not in media.allowed_hosts" in refusal("/a", "http://images.example", a=saying("200 OK", BODY))


@pytest.mark.parametrize(
    "ip",
    [
        *(
            "127.0.0.2",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("255.255.255.255", "240.0.0.1", "192.0.2.1", "::1", "::", "::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::a00:1"),
        *(
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "2002:a00:1::1",
            "2001:0:a00:1::1",
            "2001:db8::1",
        ),
    ],
)
def test_no_address_of_a_private_network_is_connected_to(ip: str) -> None:
    async def ask() -> None:
        async with web(a=saying("200 OK", BODY)) as at:
            # Also where only one of several is private: another one may be taken next time
            with pytest.raises(InvalidRequest, match="private address"):
                await fetch(at, "/a", images=f"127.0.0.1,{ip}")
            assert not at.asked

    asyncio.run(ask())


@pytest.mark.parametrize("ip", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_the_internets_own_addresses_are_public(ip: str) -> None:
    assert is_public(ip)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "127.1", "0x7f000001"])
def test_a_name_that_means_this_machine_is_refused_however_it_is_written(host: str) -> None:
    async def ask() -> None:
        async with web(a=saying("200 OK", BODY)) as at:
            fetcher = Fetcher(MediaSettings(allowed_hosts=(at.entry(host),)), resolve)
            with pytest.raises(InvalidRequest, match=r"private address|nobody knows"):
                await fetcher.fetch(f"{at.entry(host)}/a", PARAM)
            assert not at.asked

    asyncio.run(ask())


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "169.254.169.254", "[::1]"])
@pytest.mark.parametrize("allowed", [(), ("images.example",)])
def test_nobody_is_told_to_allow_what_is_refused_all_the_same(host: str, allowed: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest, match="private address") as caught:
        asyncio.run(Fetcher(MediaSettings(allowed_hosts=allowed), resolve).fetch(f"http://{host}/a", PARAM))
    assert "media.allowed_hosts" not in str(caught.value)


def test_the_address_that_was_checked_is_the_one_that_is_connected_to() -> None:
    answers = iter(["127.0.0.1", "10.0.0.1"])

    async def changing(host: str, port: int) -> Sequence[str]:
        return [next(answers)]

    async def ask() -> None:
        async with web(a=saying("200 OK", BODY)) as at:
            settings = MediaSettings(allowed_hosts=(at.entry("images.example"),))
            fetcher = Fetcher(settings, changing, is_the_test_server)
            assert await fetcher.fetch(f"{at.entry('images.example')}/a", PARAM) == BODY
        assert next(answers) == "10.0.0.1", "the name is resolved once"

    asyncio.run(ask())


def test_a_redirect_is_an_address_like_the_first() -> None:
    assert "evil.example, which is not in" in refusal("/a", a=leading("http://evil.example/b"))
    assert "is not fetched" in refusal("/a", a=leading("file:///etc/passwd"))

    async def ask() -> None:
        async with web(a=saying("200 OK")) as at:
            at.answers["/a"] = leading(f"{at.entry('inside.example')}/b")
            with pytest.raises(InvalidRequest, match=r"inside\.example, which is a private address"):
                allowed = at.entry("*.example")
                await fetch(at, "/a", allowed, inside="10.0.0.1")

    asyncio.run(ask())


def test_redirects_come_to_an_end() -> None:
    assert f"more than {MAX_REDIRECTS} times" in refusal("/a", a=leading("/a"))


def test_what_is_too_long_is_not_read_to_its_end() -> None:
    announced = saying("200 OK\r\nContent-Length: 5000", BODY)
    assert "media.max_bytes" in refusal("/a", most_bytes=1000, a=announced)
    assert "media.max_bytes" in refusal("/a", most_bytes=1000, a=saying("200 OK", bytes(5000)))


def test_what_is_too_slow_is_given_up() -> None:
    async def dawdle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + BODY)
        await reader.read()  # nothing more comes until the client goes

    assert "did not come within 0.1 s" in refusal("/a", within_s=0.1, a=dawdle)


@pytest.mark.parametrize("head", ["404 Not Found", "500 Oops", "204 No Content"])
def test_only_a_whole_answer_is_one(head: str) -> None:
    assert f"answered with status {head[:3]}" in refusal("/a", a=saying(head))


def test_what_does_not_speak_http_is_refused() -> None:
    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-box\r\n")

    assert "could not be fetched from images.example" in refusal("/a", a=hello)
