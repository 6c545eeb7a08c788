"""Where notifications may go: the allow-list, and what the text of an address says. Pure; resolves no name.

An entry of the list is `[http://]HOST[:PORT]`, where HOST is a name, `*.example.org` or an IP address, or
`[NAME]@DOMAIN` for e-mail. Without `http://` it is https; without a port it is the scheme's own.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from appliance.core.notify import Target

MAX_ADDRESS_CHARACTERS = 2000
_PORTS = {"https": 443, "http": 80}
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_VISIBLE = re.compile(r"[!-~]+")


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


class AllowList:
    """Says which addresses may be told."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._mail = [entry.lower() for entry in entries if "@" in entry]
        self._places = [_entry(entry) for entry in entries if "@" not in entry]

    def refusal(self, target: Target) -> str | None:
        """Return why a target is not told, None when it may be."""
        if target.kind == "email":
            return self._mail_refusal(target.address)
        try:
            place = place_of(target.address)
        except ValueError as fault:
            return str(fault)
        if not any(
            (place.scheme, place.port) == (each.scheme, each.port) and fnmatchcase(place.host, each.host)
            for each in self._places
        ):
            entry = place.authority if place.scheme == "https" else f"http://{place.authority}"
            return f"{entry} is not in notify.allowed_addresses"
        return self.ip_refusal(place.host) if _is_ip(place.host) else None

    def ip_refusal(self, ip: str) -> str | None:
        """Return why this IP address is not connected to, None when it may be: a private one only if listed itself."""
        address = _plain(ip)
        is_public = address.is_global and not address.is_multicast
        if is_public or any(_is_ip(each.host) and _plain(each.host) == address for each in self._places):
            return None
        return f"{address} is a private address, and notify.allowed_addresses does not name it itself"

    def _mail_refusal(self, address: str) -> str | None:
        if not _MAIL.fullmatch(address) or len(address) > MAX_ADDRESS_CHARACTERS:
            return "it is not an address such as ada@example.org"
        name, _, domain = address.lower().rpartition("@")
        for entry in self._mail:
            only, _, domains = entry.rpartition("@")
            if only in ("", name) and fnmatchcase(domain, domains):
                return None
        return f"neither {address} nor @{domain} is in notify.allowed_addresses"


def _entry(entry: str) -> Place:
    return place_of(entry.lower() if entry.startswith("http://") else f"https://{entry.lower()}")


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _plain(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address; of an IPv4 address in the clothes of IPv6 what it stands for."""
    address = ipaddress.ip_address(ip)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
