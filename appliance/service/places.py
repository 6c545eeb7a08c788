"""Addresses on the web that a setting allows, and what the text of one says. Pure; resolves no name.

An entry of an allow-list is `[http://]HOST[:PORT]`, where HOST is a name, `*.example.org` or an IP address. Without
`http://` it is https; without a port it is the scheme's own.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

MAX_ADDRESS_CHARACTERS = 2000
_PORTS = {"https": 443, "http": 80}
_VISIBLE = re.compile(r"[!-~]+")
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Place:
    """An URL taken apart; `path` has the query with it."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return the host as the header of that name has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def entry(self) -> str:
        """Return what an allow-list would name it by."""
        return self.authority if self.scheme == "https" else f"http://{self.authority}"


def place_of(url: str) -> Place:
    """Return what an URL says. Raises: ValueError, with a reason for people."""
    if len(url) > MAX_ADDRESS_CHARACTERS or not _VISIBLE.fullmatch(url):
        raise ValueError(f"it is not an URL of at most {MAX_ADDRESS_CHARACTERS} plain characters")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("it is not an URL such as https://hooks.example.org/path")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("an URL with a name, a password or a fragment is not used")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = _PORTS[parts.scheme] if parts.port is None else parts.port
    return Place(parts.scheme, parts.hostname.rstrip(".").lower(), port, path)


class AllowedPlaces:
    """The hosts of an allow-list."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._places = [_entry(entry) for entry in entries]

    def __contains__(self, place: Place) -> bool:
        return any(
            (place.scheme, place.port) == (each.scheme, each.port) and fnmatchcase(place.host, each.host)
            for each in self._places
        )

    def names_ip(self, ip: str) -> bool:
        """Return whether an entry is this very IP address."""
        return any(is_ip(each.host) and plain_ip(each.host) == plain_ip(ip) for each in self._places)


def is_ip(host: str) -> bool:
    """Return whether a host is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_public(ip: str) -> bool:
    """Return whether an IP address is one of the internet's, that anybody may reach."""
    address = plain_ip(ip)
    if isinstance(address, ipaddress.IPv6Address) and (address.sixtofour or address.teredo or address.is_site_local):
        return False  # tunnels lead to an IPv4 address that is not looked at here
    return address.is_global and not (address.is_multicast or address.is_reserved)


def plain_ip(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address; of an IPv4 address in the clothes of IPv6 what it stands for."""
    address = ipaddress.ip_address(ip)
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address


def _entry(entry: str) -> Place:
    return place_of(entry.lower() if entry.startswith("http://") else f"https://{entry.lower()}")
