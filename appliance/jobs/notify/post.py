"""One POST to an address that is checked when it is resolved, and to that very IP address. Follows no redirect."""

import asyncio
import ssl
from collections.abc import Mapping

from appliance.service.places import Place, place_of
from models.sources.failures import retry_after_s

from .places import AllowList
from .states import DeliveryFailed
from .trust import not_trusted, trusting

TIMEOUT_S = 20.0
MAX_HEAD_LINES = 100


async def post(
    url: str, headers: Mapping[str, str], body: bytes, allowed: AllowList, ca_file: str | None = None
) -> None:
    """Return once the receiver has said that it has it. Raises: DeliveryFailed."""
    place = place_of(url)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            trust = await asyncio.to_thread(trusting, ca_file) if place.scheme == "https" else None
            ip = await _resolve(place, allowed)
            status, answered = await _ask(place, ip, trust, _head(place, headers, len(body)) + body)
    except TimeoutError:
        raise DeliveryFailed(f"{place.host} did not answer within {TIMEOUT_S:.0f} s") from None
    except ssl.SSLCertVerificationError as error:
        raise not_trusted(place.host, error) from error
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        raise DeliveryFailed(f"{place.host} could not be reached: {error or type(error).__name__}") from error
    if not 200 <= status < 300:
        # "Gone" is how a receiver says that it wants to hear no more
        raise DeliveryFailed(
            f"{place.host} answered with status {status}",
            is_final=status == 410,
            retry_after_s=retry_after_s(answered),
        )


async def _resolve(place: Place, allowed: AllowList) -> str:
    """Return the IP address to connect to. Every one that the name has must be allowed: any may be taken next time."""
    found = await asyncio.get_running_loop().getaddrinfo(place.host, place.port, type=1)
    addresses = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
    for address in addresses:
        if refusal := allowed.ip_refusal(address):
            raise DeliveryFailed(f"{place.host} is not told: {refusal}")
    return addresses[0]


async def _ask(place: Place, ip: str, trust: ssl.SSLContext | None, message: bytes) -> tuple[int, dict[str, str]]:
    """Send the request and return the status of the answer, and the headers of one that refuses it."""
    server_name = place.host if trust else None
    reader, writer = await asyncio.open_connection(ip, place.port, ssl=trust, server_hostname=server_name)
    try:
        writer.write(message)
        await writer.drain()
        status = await _status(reader)
        while 100 <= status < 200:
            await _headers(reader)
            status = await _status(reader)
        # A receiver that has it may be gone before it has told the rest
        return status, {} if 200 <= status < 300 else await _headers(reader)
    finally:
        writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    words = (await reader.readline()).split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1."):
        raise ValueError("it does not speak HTTP/1.1")
    return int(words[1])


async def _headers(reader: asyncio.StreamReader) -> dict[str, str]:
    """Return the headers up to the empty line, names in lower case; of very many the first."""
    headers: dict[str, str] = {}
    for _ in range(MAX_HEAD_LINES):
        name, _, value = (await reader.readline()).decode("latin-1").strip().partition(":")
        if not name:
            break
        headers[name.lower()] = value.strip()
    return headers


def _head(place: Place, headers: Mapping[str, str], num_bytes: int) -> bytes:
    own = {"Host": place.authority, "User-Agent": "appliance", "Connection": "close", "Content-Length": str(num_bytes)}
    lines = [f"POST {place.path} HTTP/1.1", *(f"{name}: {value}" for name, value in {**own, **headers}.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii")
