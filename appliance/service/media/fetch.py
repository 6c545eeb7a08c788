"""A medium behind an address on the web: fetched from hosts of an allow-list alone, and never from a private network.

A name is resolved here, and the very address that was checked is connected to: who answers differently when asked
again (DNS rebinding) has answered too late. Each redirect is an address like the first. Nothing of the machine's goes
out with the request: no cookie, no password, no proxy of the environment.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Protocol
from urllib.parse import urljoin

from appliance.errors import InvalidRequest
from appliance.service.places import AllowedPlaces, Place, is_ip, is_public, place_of
from appliance.settings import MediaSettings

MAX_REDIRECTS = 3
MAX_AT_ONCE = 8
_MOVED = frozenset({301, 302, 303, 307, 308})
_SETTING = "media.allowed_hosts"

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host. Raises: OSError."""


class _Answer(Protocol):
    """What is read of an answer."""

    status_code: int

    @property
    def headers(self) -> Mapping[str, str]: ...

    def aiter_raw(self) -> AsyncIterator[bytes]: ...


class Refused(Exception):
    """An address is not fetched from, or gave nothing; the text goes on behind the name of the field."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for the IP addresses of a host. Raises: OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


class Fetcher:
    """Fetches for all requests, a few at a time."""

    def __init__(
        self,
        settings: MediaSettings,
        resolve: Resolve = resolve,
        may_connect: Callable[[str], bool] = is_public,
    ) -> None:
        """`may_connect` says whether an IP address is one of the internet's."""
        self._settings = settings
        self._allowed = AllowedPlaces(settings.allowed_hosts)
        self._resolve = resolve
        self._may_connect = may_connect
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)
        self._trust: ssl.SSLContext | None = None

    async def fetch(self, url: str, param: str) -> bytes:
        """Return what lies behind an address. Raises: InvalidRequest, with the field `param`."""
        try:
            async with self._turns, asyncio.timeout(self._settings.fetch_timeout_s):
                return await self._follow(url)
        except TimeoutError:
            raise _problem(param, f"did not come within {self._settings.fetch_timeout_s:g} s") from None
        except Refused as refusal:
            raise _problem(param, str(refusal)) from None

    async def _follow(self, url: str) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            place = self._checked(url)
            found = await self._ask(place, await self._address(place))
            if isinstance(found, bytes):
                return found
            url = _joined(url, found)
        raise Refused(f"leads from address to address, more than {MAX_REDIRECTS} times")

    def _checked(self, url: str) -> Place:
        try:
            place = place_of(url)
        except ValueError as fault:
            raise Refused(f"is not fetched: {fault}") from None
        if place in self._allowed:
            return place
        if place.host == "localhost" or (is_ip(place.host) and not self._may_connect(place.host)):
            raise _private(place)  # the allow-list would not help, so it is not what the answer is about
        if not self._settings.allowed_hosts:
            raise Refused(
                f"is an address, and none are fetched here; send a data URL, or let an operator set {_SETTING} = "
                f'["{place.entry}"]'
            )
        raise Refused(f"leads to {place.entry}, which is not in {_SETTING}; send a data URL")

    async def _address(self, place: Place) -> str:
        """Return the IP address to connect to. All that the name has must be public: any may be taken next time."""
        try:
            addresses = await self._resolve(place.host, place.port)
        except (OSError, UnicodeError):
            raise Refused(f"leads to {place.host}, a name that nobody knows") from None
        if not addresses or not all(map(self._may_connect, addresses)):
            raise _private(place)
        return addresses[0]

    async def _ask(self, place: Place, ip: str) -> bytes | str:
        """Return what the host gives, or where it sends us on. Raises: Refused."""
        import httpx  # most daemons never fetch anything

        host = f"[{ip}]" if ":" in ip else ip
        # Whoever waits for all of it gives up before
        most_s = 2 * self._settings.fetch_timeout_s
        try:
            async with (
                httpx.AsyncClient(verify=await self._trusted(), trust_env=False, timeout=most_s) as client,
                client.stream(
                    "GET",
                    f"{place.scheme}://{host}:{place.port}{place.path}",
                    headers={"Host": place.authority, "User-Agent": "appliance", "Accept-Encoding": "identity"},
                    extensions={"sni_hostname": place.host},
                ) as response,
            ):
                if response.status_code in _MOVED and "location" in response.headers:
                    return str(response.headers["location"])
                return await self._read(place, response)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise Refused(f"could not be fetched from {place.host} ({type(error).__name__})") from None

    async def _read(self, place: Place, response: _Answer) -> bytes:
        if response.status_code != 200:
            raise Refused(f"could not be fetched: {place.host} answered with status {response.status_code}")
        most_bytes, body = self._settings.max_bytes, bytearray()
        announced = response.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > most_bytes:
            raise _too_long(most_bytes)
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > most_bytes:
                raise _too_long(most_bytes)
        return bytes(body)

    async def _trusted(self) -> ssl.SSLContext:
        """Return who may speak for a host; reading all authorities takes a while, so once and on another thread."""
        if self._trust is None:
            self._trust = await asyncio.to_thread(_trust)
        return self._trust


def _trust() -> ssl.SSLContext:
    from models.sources.web import trusted

    return trusted()


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def _private(place: Place) -> Refused:
    return Refused(
        f"leads to {place.host}, which is a private address: nothing is fetched from such, allowed or not; send a data "
        "URL"
    )


def _too_long(most_bytes: int) -> Refused:
    return Refused(f"is longer than {most_bytes} bytes, which is media.max_bytes")


def _problem(param: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"'{param}' {reason}", param=param)
